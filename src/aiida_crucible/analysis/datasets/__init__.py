"""Labelled frames that a model is trained on: what they are, which belong together, on which side each is."""
