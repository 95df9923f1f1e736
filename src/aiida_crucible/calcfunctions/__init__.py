"""Thin provenance wrappers around :mod:`aiida_crucible.analysis`."""
