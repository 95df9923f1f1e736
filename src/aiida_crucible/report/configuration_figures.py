"""A map of configurations as a figure, coloured by sampler and by the anharmonicity of each frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

WIDTH, HEIGHT = 5.0, 4.4
"""Inches of one panel."""


def draw_map(
    coordinates: NDArray[np.float64],
    samplers: Sequence[str],
    explained: Sequence[float],
    sigma: NDArray[np.float64] | None = None,
) -> Figure:
    """Return the map of frames: coloured by sampler and, where σ is known, by it in a second panel.

    :param coordinates: [n_frames, n_components]; a map of one component is drawn against the frames' order.
    :param samplers: of each frame.
    :param explained: share of the variance of each component.
    :param sigma: anharmonicity of each frame, NaN where unknown, [n_frames].
    """
    n_panels = 1 if sigma is None else 2
    figure = Figure(figsize=(WIDTH * n_panels, HEIGHT), layout="constrained")
    axes = figure.subplots(1, n_panels, squeeze=False)[0]
    x = coordinates[:, 0]
    y = coordinates[:, 1] if coordinates.shape[1] > 1 else np.arange(len(x), dtype=float)
    names = np.array(samplers)
    for name in dict.fromkeys(samplers):
        own = names == name
        axes[0].scatter(x[own], y[own], s=12, alpha=0.7, label=f"{name} ({own.sum()})", linewidths=0)
    axes[0].legend(frameon=False)
    axes[0].set_title("by sampler")
    if sigma is not None:
        known = np.isfinite(sigma)
        axes[1].scatter(x[~known], y[~known], s=12, color="0.8", linewidths=0)
        points = axes[1].scatter(x[known], y[known], s=12, c=sigma[known], cmap="viridis", linewidths=0)
        figure.colorbar(points, ax=axes[1], label="σ(t)")
        axes[1].set_title("by anharmonicity")
    for axis in axes:
        axis.set_xlabel(f"component 1 ({100 * explained[0]:.0f} %)")
        axis.set_ylabel(f"component 2 ({100 * explained[1]:.0f} %)" if len(explained) > 1 else "frame")
        axis.set_xticks([])
        axis.set_yticks([])
    return figure
