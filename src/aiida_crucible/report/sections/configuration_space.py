"""Maps of configurations: where in configuration space the samplers were, and how anharmonic it is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_crucible.nodes.anharmonicity_scores import SIGMA
from aiida_crucible.nodes.bounds import LARGEST_STRUCTURE, read_bounded
from aiida_crucible.report.charts.chart import COLOURS, Axis, Chart, ColourScale, Mark, Panel, Series, by_number
from aiida_crucible.report.figures.points import point_style
from aiida_crucible.report.findings import Finding
from aiida_crucible.report.page.document import Section
from crucible_engine.wire.value_types import parse_json


def configuration_space(findings: Sequence[Finding]) -> Section | None:
    """Return a map of each comparison."""
    charts = [
        _map(finding, number)
        for number, finding in enumerate(findings)
        if finding.kind == "configuration_space" and "map" in finding.outputs
    ]
    return Section("configuration-space", "Configuration space", charts) if charts else None


def _map(finding: Finding, number: int) -> Chart:
    summary = finding.outputs["results"]["summary"]
    node = finding.outputs["map"]
    names = sorted(summary["samplers"])
    samplers = np.array([names[index] for index in node.get_array("sampler")])
    places = np.asarray(node.get_array("frame"), dtype=int)
    coordinates = node.get_array("coordinates")
    x = coordinates[:, 0]
    y = coordinates[:, 1] if coordinates.shape[1] > 1 else np.arange(len(x), dtype=float)
    labels = [f"{sampler}, frame {place}" for sampler, place in zip(samplers, places, strict=True)]
    explained = summary["explained"]
    across = Axis(f"component 1 ({100 * explained[0]:.0f} %)")
    up = Axis(f"component 2 ({100 * explained[1]:.0f} %)" if len(explained) > 1 else "frame")
    style = point_style(len(x))
    by_sampler: list[Mark] = [
        Series(
            f"{name} ({int((samplers == name).sum())})", x[samplers == name], y[samplers == name],
            colour=by_number(COLOURS, index), labels=np.array(labels)[samplers == name].tolist(),
            **style,
        )
        for index, name in enumerate(dict.fromkeys(samplers.tolist()))
    ]  # fmt: skip
    panels = [Panel(across, up, by_sampler, "by sampler")]
    sigma = sigma_of(finding)
    scale = None
    if sigma is not None and np.isfinite(sigma).any():
        scale = ColourScale("σ(t)", float(np.nanmin(sigma)), float(np.nanmax(sigma)))
        panels.append(Panel(across, up, [Series("", x, y, shade=sigma, labels=labels, **style)], "by anharmonicity"))
    caption = (
        "Each point is a frame; near ones have like surroundings of their atoms (SOAP with REMatch, De, Bartók, Csányi "
        "and Ceriotti, Phys. Chem. Chem. Phys. 18, 13754, 2016), on the first kernel principal components, with the "
        "share of the variance that each explains."
    )
    name = "configuration-space" if number == 0 else f"configuration-space-{number + 1}"
    title = f"Configuration space of {', '.join(names)}"
    return Chart(name, title, caption, panels, len(panels), colour_scale=scale, size=(4.4, 4.0))


def sigma_of(finding: Finding) -> NDArray[np.float64] | None:
    """Return σ(t) of each frame of the map, which stands in its chemiscope file; ``None`` where it is not known."""
    node = finding.outputs.get("chemiscope")
    if node is None:
        return None
    with node.open(mode="rb") as stream:
        content = parse_json(read_bounded(stream, LARGEST_STRUCTURE))
    known = content["properties"].get(SIGMA)
    return None if known is None else np.array(known["values"], dtype=float)
