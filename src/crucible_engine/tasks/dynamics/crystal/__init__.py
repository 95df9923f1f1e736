"""What becomes of a crystal while it moves: whether it stays one, and whether the model gives sensible numbers."""
