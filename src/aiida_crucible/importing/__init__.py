"""References from elsewhere, read from the files that other programs write, checked, in this package's units."""
