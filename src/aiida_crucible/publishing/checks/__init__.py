"""The checks of an export, a module a kind: its files, its objects and digests, its numbers, its report."""
