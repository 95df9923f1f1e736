"""What the WorkChains share."""
