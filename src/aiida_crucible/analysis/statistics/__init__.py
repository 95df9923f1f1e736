"""Averages of correlated time series, their errors and their trends."""
