"""Parsers: what a job left behind, as nodes and one exit code."""
