"""Nodes of the provenance graph, and the only place that turns them into arrays and back."""
