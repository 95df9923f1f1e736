"""Many materials and models against references."""
