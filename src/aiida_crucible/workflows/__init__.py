"""WorkChains: what is asked of a model and a material."""
