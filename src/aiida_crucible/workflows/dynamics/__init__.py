"""Molecular dynamics, continued where it was interrupted."""
