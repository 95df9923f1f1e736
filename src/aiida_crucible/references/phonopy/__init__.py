"""Phonons of others, from phonopy's files."""
