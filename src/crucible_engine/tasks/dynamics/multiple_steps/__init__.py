"""Multiple time stepping: many steps with direct forces between two corrections to conservative ones."""
