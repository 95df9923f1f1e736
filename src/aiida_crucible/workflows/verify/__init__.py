"""Verification of a model in an environment."""
