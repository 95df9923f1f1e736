"""One verdict on a model and a material."""
