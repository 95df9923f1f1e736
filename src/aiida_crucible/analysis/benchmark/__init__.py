"""Rows of a benchmark, and what they say together."""
