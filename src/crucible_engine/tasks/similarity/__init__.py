"""The task ``similarity``: how alike the frames of trajectories are, and a map of them."""
