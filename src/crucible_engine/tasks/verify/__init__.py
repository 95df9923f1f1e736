"""The task ``verify``: the checks that a model has to pass before its numbers are believed."""
