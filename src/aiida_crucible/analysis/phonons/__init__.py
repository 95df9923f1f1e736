"""Harmonic phonons from force constants."""
