"""Molecular dynamics with ASE's integrators: exact restarts, streamed output, and an eye on the physics."""
