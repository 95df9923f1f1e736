"""Some materials with one model, packed: one job of each kind for all of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiida.engine import ProcessSpec, ToContext, while_
from aiida.orm import Data, Dict

from aiida_crucible.analysis.benchmark.settings import ANHARMONICITY, RELAX, validate_benchmark_settings
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.workflows.benchmark.batch_calcfunctions import DISPLACED, FRAMES
from aiida_crucible.workflows.benchmark.inputs import check_references
from aiida_crucible.workflows.benchmark.material_calcfunctions import explain_failed_materials, measure_material, why
from aiida_crucible.workflows.benchmark.ports import (
    define_jobs,
    define_materials,
)
from aiida_crucible.workflows.benchmark.stages import STAGES, Stage, reference_of
from aiida_crucible.workflows.common.verified import VerifiedWorkChain
from aiida_crucible.workflows.common.workchain import call_once, halves, message_of

PATIENCE = 5.0
"""Seconds of a step of measurements: each step costs a checkpoint, and blocks the worker's other processes."""


class BenchmarkBatchWorkChain(VerifiedWorkChain):
    """Relax some materials, evaluate their supercells and a reference's frames, run their dynamics, measure each.

    Each kind of job is one for all materials. A job that fails for good is split until the material that it fails for
    is alone; that one's row says why, and the others go on.
    """

    JOBS = ("verify.verify", "relax.relax", "forces.evaluate", "base.dynamics")

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        define_materials(spec)
        settings_input(
            spec,
            "settings",
            validate_benchmark_settings,
            "How each material is treated, see `aiida_crucible.analysis.benchmark.settings.SECTIONS`.",
            has_default=False,
        )
        spec.input(
            "identities",
            valid_type=Dict,
            help="By label what tells a row from others, see `aiida_crucible.analysis.benchmark.rows.IDENTITY`.",
        )
        define_jobs(spec)
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            cls.begin,
            while_(cls.has_stage)(
                cls.prepare_stage,
                while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs),
            ),
            while_(cls.has_unmeasured)(cls.measure_next),
        )
        # What a row follows from, and the arrays behind it, are the inputs and outputs of its creator: to return them
        # here too would double the links of a benchmark, which is most of what it costs.
        spec.outputs_by_label(
            Dict,
            rows="What the model says of a material and what is missing why, see "
            "`aiida_crucible.analysis.benchmark.rows.row_of`.",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that references belong to materials."""
        super().check_inputs(inputs)
        check_references(inputs)

    def begin(self) -> None:
        """Say what is to be done."""
        settings = validate_benchmark_settings(self.inputs.settings.get_dict())
        self.ctx.stage, self.ctx.stages = RELAX, [name for name in STAGES if settings[name] is not None]
        self.ctx.unmeasured = sorted(self.inputs.structures)
        for name in ("relaxed", DISPLACED, FRAMES, "properties", "starts", "trajectories"):
            self.ctx[name] = {}
        for name in ("failures", "runs", "outcomes"):
            self.ctx[name] = {label: {} for label in self.ctx.unmeasured}
        if settings[RELAX] is None:
            self.ctx.relaxed = dict(self.inputs.structures)

    def has_stage(self) -> bool:
        """Return whether a kind of job is left to run."""
        return bool(self.ctx.stages)

    def prepare_stage(self) -> None:
        """Make what the next kind of job is to run on."""
        self.ctx.stage, *self.ctx.stages = self.ctx.stages
        labels = self._stage.prepare()
        self.ctx.queue = [labels] if labels else []
        self.ctx.n_jobs = 0

    def has_jobs(self) -> bool:
        """Return whether there are jobs to run."""
        return bool(self.ctx.queue)

    def run_jobs(self) -> ToContext:
        """Run the job of all materials, or those that it was split into."""
        self.ctx.running = {}
        children, refused = {}, []
        for labels in self.ctx.queue:
            name = f"{self.ctx.stage}_{self.ctx.n_jobs}"
            self.ctx.n_jobs += 1
            try:
                children[name] = self._stage.submit(labels, name)
                self.ctx.running[name] = labels
            except ValueError as error:  # inputs of one of them that AiiDA refuses
                refused += self._split(labels, str(error))
        self.ctx.queue = refused
        return ToContext(**children)

    def inspect_jobs(self) -> None:
        """Take what there is; what failed is tried again in parts, and of a single material told of."""
        for name, labels in self.ctx.running.items():
            child = self.ctx[name]
            self.ctx.queue += self._split(self._stage.collect(child, labels), message_of(child))

    def has_unmeasured(self) -> bool:
        """Return whether a material has not been measured yet."""
        return bool(self.ctx.unmeasured)

    def measure_next(self) -> None:
        """Measure one material after the other for some seconds."""
        began = time.monotonic()
        while self.ctx.unmeasured and time.monotonic() - began < PATIENCE:
            label, *self.ctx.unmeasured = self.ctx.unmeasured
            self.out(f"rows.{label}", self._measured(label))

    def _measured(self, label: str) -> Dict:
        """Return the row of a material."""
        identity = {
            **self.inputs.identities[label],
            "failures": self.ctx.failures[label],
            "runs": self.ctx.runs[label],
            "phonons": self.ctx.outcomes[label] or None,
        }
        nodes = self._nodes_of(label)
        try:
            made = call_once(self, f"measure_{label}", measure_material, Dict(identity), self.inputs.settings, **nodes)
            row: Dict = made["row"]
        except Exception as error:  # whatever a library has against a crystal: it is no other one's matter
            self._stage.fail(label, ANHARMONICITY, why(error))
            row = explain_failed_materials(Dict({label: identity}), Dict({label: why(error)}))[label]
        return row

    def _nodes_of(self, label: str) -> dict[str, Data]:
        """Return what a row follows from, as :func:`measure_material` calls it."""
        reference = {f"reference_{name}": node for name, node in reference_of(self.inputs, label).items()}
        found: dict[str, Data | None] = {
            **reference,
            "reference_trajectory": self.ctx.frames.get(label) or reference.get("reference_trajectory"),
            "structure": self.ctx.relaxed.get(label),
            "displaced_properties": self.ctx.properties.get(f"{label}_{DISPLACED}"),
            "properties": self.ctx.properties.get(f"{label}_{FRAMES}"),
            **self.ctx.trajectories.get(label, {}),
        }
        return {name: node for name, node in found.items() if node is not None}

    def _split(self, labels: Sequence[str], reason: str) -> list[list[str]]:
        """Return the parts in which materials are tried again; note the reason of one that is alone."""
        if len(labels) == 1:
            self._stage.fail(labels[0], self.ctx.stage, reason)
        if len(labels) < 2:
            return []
        self.report(f"{self.ctx.stage} of {len(labels)} materials failed, and is tried again in two parts: {reason}")
        return halves(labels)

    @property
    def _stage(self) -> Stage:
        """The kind of job that runs now, or that ran last."""
        return STAGES[self.ctx.stage](self)
