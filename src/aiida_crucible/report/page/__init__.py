"""A page of results: its parts, and how they become one HTML file that needs nothing else."""
