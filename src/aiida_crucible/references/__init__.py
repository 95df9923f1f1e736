"""Published structures and numbers that come with the package, and references from files of one's own."""
