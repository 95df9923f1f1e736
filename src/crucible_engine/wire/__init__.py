"""What crosses between the two sides: files, fields, shapes, units, and the rules of parameters."""
