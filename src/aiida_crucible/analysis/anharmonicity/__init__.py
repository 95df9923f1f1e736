"""How much of the forces the harmonic force constants leave out."""
