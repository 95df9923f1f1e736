"""From what a user has, a structure and the names of models, to runs, a plan with its cost, and a result."""
