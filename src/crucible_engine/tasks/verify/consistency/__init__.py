"""Whether the same crystal gets the same numbers, however it is given and whatever was computed before."""
