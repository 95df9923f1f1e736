"""Harmonic phonons."""
