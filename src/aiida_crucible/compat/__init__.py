"""What is used of other packages beyond their documented interfaces, a module a package; a canary test names it."""
