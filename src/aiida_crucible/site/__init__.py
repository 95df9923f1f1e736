"""A site of results: static pages of many archives, each cell of its table a report."""
