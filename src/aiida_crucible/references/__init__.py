"""Published structures and numbers that come with the package."""
