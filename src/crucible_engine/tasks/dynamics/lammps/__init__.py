"""The backend ``lammps`` of dynamics: LAMMPS's integrators and the family's own pair style, on any number of ranks."""
