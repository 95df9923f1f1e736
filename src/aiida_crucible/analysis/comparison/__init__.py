"""Phonons of a model against those of a reference."""
