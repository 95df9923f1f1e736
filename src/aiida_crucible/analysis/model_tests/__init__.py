"""Tests of a model whatever the material: rotations, dimers, accuracy, robustness, conservation of energy."""
