"""The task ``relax``: minimise the energy, and continue exactly after an interruption."""
