"""Training of a model on labelled frames: the CalcJob and its parser."""
