"""Lattice dynamics and crystallography on plain arrays: nothing here knows of AiiDA, torch or workflows."""
