"""The quasi-harmonic approximation: phonons at several volumes, and what a crystal does when it is heated."""
