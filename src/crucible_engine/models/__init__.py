"""The model families: a catalogue that needs no model package, and one adapter a family that does."""
