"""The task ``evaluate``."""
