"""What a finished process of this package found, whichever it is, ready to be put beside others of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aiida.common.links import LinkType
from aiida.orm import AbstractCode, CalcJobNode, Dict, Node, ProcessNode, StructureData

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.report.charts.chart import pretty_formula
from aiida_crucible.report.links import Link, called, inputs_of, outputs_of

PREFIXES = ("aiida.workflows:crucible.", "aiida.calculations:crucible.")
KINDS = {
    "reliability": "Reliability",
    "comparison": "Comparison of models",
    "sweep": "Temperature sweep",
    "phonon": "Phonons",
    "equation_of_state": "Equation of state",
    "elastic": "Elastic tensor",
    "qha": "Thermal expansion",
    "conductivity": "Thermal conductivity",
    "anharmonicity": "Anharmonicity",
    "configuration_space": "Configuration space",
    "benchmark": "Benchmark",
    "benchmark.batch": "Benchmark",
    "verify": "Verification",
    "model_tests": "Tests of a model",
    "speed": "Speed of models",
    "vibrations": "Vibrations",
    "relax": "Relaxation",
    "harmonic_comparison": "Phonons against a reference",
}
"""Of what a report can be made, by entry point."""


@dataclass(frozen=True)
class Finding:
    """One process.

    :param node: that has ended.
    :param name: what tells it from the others on the page: the model, or more where that is not enough.
    """

    node: ProcessNode
    name: str

    @property
    def kind(self) -> str:
        """The entry point, without what all of ours begin with."""
        return kind_of(self.node)

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs, namespaces as mappings."""
        return _nested(outputs_of([self.node]))

    @cached_property
    def inputs(self) -> Mapping[str, Any]:
        """The inputs, namespaces as mappings."""
        return _nested(inputs_of([self.node]))

    def part(self, kind: str) -> Mapping[str, Any]:
        """Return the outputs of a kind of process, which this is or of which it has one; empty if it has none."""
        found = self.outputs if self.kind == kind else self.outputs.get(kind, {})
        return found if isinstance(found, Mapping) else {}

    @cached_property
    def model(self) -> ModelData | None:
        """The potential; ``None`` where there is none, or there are several."""
        return self.inputs.get("model")

    @cached_property
    def structure(self) -> StructureData | None:
        """The crystal in question, as it was given; of several that were relaxed together, the only one."""
        found = self.inputs.get("structure")
        several = self.inputs.get("structures", self.inputs.get("structure"))
        if isinstance(several, Mapping) and len(several) == 1:
            (found,) = several.values()
        return found if isinstance(found, StructureData) else None

    @cached_property
    def relaxed(self) -> StructureData | None:
        """The crystal in question, relaxed."""
        several = self.outputs.get("relaxed", {})
        found = several.get("structure") if isinstance(several, Mapping) else self.outputs.get("structure")
        return found if isinstance(found, StructureData) else None

    @cached_property
    def relaxation(self) -> dict[str, Any]:
        """What became of each structure that was relaxed, by its name; empty where nothing was."""
        summary = self.outputs.get("summary" if self.kind == "relax" else "relaxation")
        return dict(summary["structures"]) if isinstance(summary, Dict) and "structures" in summary.get_dict() else {}

    @cached_property
    def formula(self) -> str:
        """The reduced formula of the crystal, for people; empty where there is none."""
        structure = self.structure
        return "" if structure is None else pretty_formula(_in_electronegativity_order(structure))

    @cached_property
    def space_group(self) -> str:
        """The space group of the relaxed crystal, or of the given one; empty where it is not known."""
        entry = self.relaxation.get("structure", {})
        known = entry.get("space_group_after") or entry.get("space_group_before") or {}
        if known.get("symbol"):
            return str(known["symbol"])
        summary = self.part("phonon").get("summary")
        return str(summary.get_dict().get("space_group", "")).split(" ")[0] if isinstance(summary, Dict) else ""

    @cached_property
    def subject(self) -> str:
        """Formula with space group, as a title has it."""
        group = f" ({self.space_group})" if self.space_group else ""
        return f"{self.formula}{group}" if self.formula else KINDS.get(self.kind, self.kind)

    @cached_property
    def called(self) -> Sequence[ProcessNode]:
        """All processes that ran for it, in the order of their creation."""
        return called(self.node)

    @cached_property
    def jobs(self) -> Sequence[Job]:
        """The jobs that ran for it, in the order of their creation."""
        nodes = [node for node in (self.node, *self.called) if isinstance(node, CalcJobNode)]
        codes = {link.process.pk: link.data for link in inputs_of(nodes) if link.label == "code"}
        results = {link.process.pk: link.data.get_dict() for link in outputs_of(nodes) if link.label == "results"}
        return [Job(node, codes.get(node.pk), results.get(node.pk, {})) for node in nodes]


@dataclass(frozen=True)
class Job:
    """One job that ran.

    :param code: of its environment; ``None`` where it had none.
    :param results: what it said, see the calculation's output; empty where it did not come to that.
    """

    node: CalcJobNode
    code: AbstractCode | None
    results: Mapping[str, Any]


def kind_of(node: ProcessNode) -> str:
    """Return the entry point of one of our processes without what all begin with; empty for another one."""
    return kind_of_type(node.process_type)


def kind_of_type(process_type: str | None) -> str:
    """Return the entry point of one of our process types without what all begin with; empty for another one."""
    process_type = process_type or ""
    for prefix in PREFIXES:
        if process_type.startswith(prefix):
            return process_type.removeprefix(prefix)
    return ""


def named_findings(nodes: Sequence[ProcessNode]) -> list[Finding]:
    """Return what several processes found, each with a name of its own.

    :raises ValueError: one line, if one of them is none of ours, still runs, or has nothing to show.
    """
    for node in nodes:
        require_reportable(node)
    nodes = list({each.pk: each for node in nodes for each in (*_compared(node), node)}.values())
    names = told_apart([_model_name(node) for node in nodes], [str(node.label or kind_of(node)) for node in nodes])
    return [
        Finding(node, name if names.count(name) == 1 else f"{name} · {node.uuid[:8]}")
        for name, node in zip(names, nodes, strict=True)
    ]


def _compared(node: ProcessNode) -> list[ProcessNode]:
    """Return what a comparison ran for each of its models and came to something; nothing of another process."""
    if kind_of(node) != "comparison":
        return []
    children = [child for child in node.called if kind_of(child) == "reliability"]
    return [child for child in children if child.base.links.get_outgoing(link_type=LinkType.RETURN).first()]


def told_apart(names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return names, with those parts of a label that some of the same name have and others do not."""
    told = []
    for name, label in zip(names, labels, strict=True):
        alike = [set(other.split(" · ")) for same, other in zip(names, labels, strict=True) if same == name]
        shared = set.intersection(*alike)
        told.append(" · ".join([name, *(part for part in label.split(" · ") if part not in shared)]))
    return told


def require_reportable(node: Node) -> None:
    """Refuse what no report can be made of.

    :raises ValueError: one line: what it is, and what to give instead.
    """
    if not isinstance(node, ProcessNode):
        kind = type(node).__name__
        raise ValueError(f"node {node.pk} is a {kind}, not a process: give the PK that `run` or `launch` told")
    told = f"process {node.pk} ({node.process_label})"
    kind = kind_of(node)
    if not kind:
        raise ValueError(f"{told} is none of aiida-crucible: a report is made of its WorkChains")
    if kind not in KINDS:
        caller = node.caller
        hint = f": give the one that called it, {caller.pk}" if caller is not None else ""
        raise ValueError(f"{told} is a step without a report of its own{hint}")
    if not node.is_terminated:
        raise ValueError(f"{told} still runs: `aiida-crucible status {node.pk}` tells how far it is")
    if not node.base.links.get_outgoing(link_type=(LinkType.RETURN, LinkType.CREATE)).first():
        why = node.exit_message or f"it ended as {node.process_state.value}"
        raise ValueError(f"{told} failed before it found anything: {why}; `verdi process report {node.pk}` tells more")


def _model_name(node: ProcessNode) -> str:
    model = next((link.data for link in inputs_of([node]) if link.label == "model"), None)
    return str(model.title) if model is not None else str(node.label or KINDS[kind_of(node)])


def _nested(links: Sequence[Link]) -> dict[str, Any]:
    """Return linked nodes by their labels, in which two underscores stand between namespaces."""
    found: dict[str, Any] = {}
    for link in links:
        place = found
        *spaces, name = link.label.split("__")
        for space in spaces:
            place = place.setdefault(space, {})
        place[name] = link.data
    return found


def _in_electronegativity_order(structure: StructureData) -> str:
    return str(structure.get_ase().symbols.formula.reduce()[0].format("metal"))
