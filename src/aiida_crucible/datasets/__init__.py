"""Datasets as nodes: labelled frames from files and nodes, examined, split, and shifted to a model's zero of energy."""
