"""Harmonic phonons of a model against those of a reference."""
