"""Whether forces and stress are the derivatives of the energy, and which fault explains what they differ by."""
