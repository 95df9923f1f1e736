"""Energies, forces and stresses, restarted where they were interrupted."""
