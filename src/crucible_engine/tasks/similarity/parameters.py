"""The parameters of the task ``similarity``."""

from __future__ import annotations

from crucible_engine.wire.rules import Parameter

CHOICES = ("stride", "random", "farthest")

SIMILARITY: dict[str, Parameter] = {
    "choice": Parameter(
        str, "stride", "frames evenly spaced, drawn at random, or each the farthest from those before", choices=CHOICES
    ),
    "frames": Parameter(int, 200, "at most so many frames of each sampler", minimum=1, maximum=100_000),
    "seed": Parameter(int, 0, "of the random draw, and of the labels that an overlap is compared with", 0, 2**63),
    "cutoff": Parameter(float, 5.0, "SOAP: radius of an environment, Å", 1.0, 20.0, exclusive=True),
    "n_max": Parameter(int, 7, "SOAP: radial basis functions", 1, 30),
    "l_max": Parameter(int, 6, "SOAP: largest degree of the spherical harmonics", 0, 20),
    "sigma": Parameter(float, 0.1, "SOAP: width of the Gaussians that stand for atoms, Å", 0.0, 5.0, exclusive=True),
    "normalise": Parameter(bool, True, "SOAP: scale the descriptor of each environment to length 1"),
    "alpha": Parameter(
        float, 1.0, "REMatch: small values approach the best match, large ones the average", 0.0, 1e6, exclusive=True
    ),
    "threshold": Parameter(float, 1e-6, "REMatch: error at which the balancing has converged", 1e-20, 0.5),
    "components": Parameter(int, 2, "kernel principal components", 1, 100),
    "memory": Parameter(
        int, 2048, "what arrays may take, MiB; Python and its packages take about 300 more", minimum=16
    ),
    "mixed_compositions": Parameter(bool, False, "let frames differ in their composition"),
}
"""The SOAP settings are those of the double-perovskite benchmark (doi 10.1039/d5cp04693a), the threshold dscribe's."""
