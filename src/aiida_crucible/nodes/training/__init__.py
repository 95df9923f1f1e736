"""Datasets, and what a trained potential was made of."""
