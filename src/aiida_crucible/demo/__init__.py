"""The demonstration: two foundation models on PbTiO3, beside the published numbers."""
