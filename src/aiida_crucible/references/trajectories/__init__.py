"""Trajectories of others, with forces."""
