"""Training of a model on a dataset: its labels checked and shifted to the model's zero, errors before and after."""
