"""The tasks: what a job can compute. One module a task, plain functions on a loaded model."""
