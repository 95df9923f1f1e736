"""Molecular dynamics at many temperatures."""
