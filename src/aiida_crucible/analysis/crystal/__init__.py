"""Cells, sites, symmetry: what a crystal is, whatever cell it comes in."""
