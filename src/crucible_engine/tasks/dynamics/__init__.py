"""The task ``dynamics``: molecular dynamics with ASE's integrators, exact restarts and streamed output."""
