"""Tables and figures, from plain numbers and arrays."""
