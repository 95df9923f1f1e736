"""The model families: a registry that needs no model package, what all adapters share, and a folder a family."""
