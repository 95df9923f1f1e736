"""Published numbers and the crystals that they are of."""
