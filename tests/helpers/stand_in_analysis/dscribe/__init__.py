"""Stands in for dscribe where tests need its interface and not its numbers."""
