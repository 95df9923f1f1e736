"""A molecule or a slab with one model: verified, relaxed in its cell, displaced, evaluated, run hot, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_
from aiida.orm import AbstractCode, ArrayData, Dict, ProcessNode, StructureData, TrajectoryData, to_aiida_type

from aiida_crucible.analysis.crystal.finite import repeats_for, without_images
from aiida_crucible.analysis.phonons.vibrations import MOST_ATOMS, rigid_motions, validate_vibrations
from aiida_crucible.analysis.verdict.finite import check_finite_reference
from aiida_crucible.calculations.ports import settings_help, settings_input
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.common.protocols import merged, with_checked_arguments, without_none
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.relax.base import SINGLE, CrystalRelaxedFirst
from aiida_crucible.workflows.vibrations.calcfunctions import (
    displace_atoms,
    explain_missing_vibrations,
    find_vibrations,
    judge_finite_model,
    repeat_slab,
)


class VibrationsWorkChain(CrystalRelaxedFirst):
    """Verify a model, relax a molecule or a slab with it in its cell, compute its vibrations there, run it when hot.

    Whatever the physics says is a result. What is not asked of something that is no crystal stands in ``summary``.
    """

    JOBS = ("verify.verify", "relax.relax", "forces.evaluate", "base.dynamics")
    RELAX_HELP = "How to relax first, see `crucible.relax.base`; left out, the geometry is taken as it is."
    RELAXED_HELP = "The relaxed geometry."

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(StructureData, check_small, structure="A molecule, a slab, or any cell of few atoms.")
        settings_input(spec, "parameters", validate_vibrations, settings_help("phonons.vibrations"))
        EvaluateBaseWorkChain.expose_in(
            spec, "forces", "How to evaluate what is displaced, see `crucible.evaluate.base`."
        )
        DynamicsBaseWorkChain.expose_in(
            spec, "base", "How to run it when hot, see `crucible.dynamics.base`; left out, it is not.", is_optional=True
        )
        spec.input(
            "reference",
            valid_type=Dict,
            required=False,
            serializer=to_aiida_type,
            help="What is known: `stable` (a minimum, at 0 K), `exists_at` (K), `frequencies` (THz, of a molecule).",
        )
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.has_crystal)(cls.displace, cls.run_jobs, cls.inspect_jobs),
            cls.judge,
        )
        spec.output_nodes(
            Dict,
            summary="Outcome (minimum, saddle, cannot-tell, non-finite or not-relaxed) with its reason, `frequencies` "
            "and `resolvable_frequency` (THz, imaginary ones negative), `zero_point_energy` (eV), `not_asked`.",
        )
        spec.output_nodes(
            ArrayData, modes="`frequencies` (THz) and `eigenvectors` ([n, n_atoms, 3], mass-weighted, normalised)."
        )
        spec.output_nodes(
            Dict,
            verdict="`trusted` (yes, no, cannot-tell), `headline`, `up_to` (K), `steps` (what it would take), `runs`, "
            "and by question whether the model is right, wrong, or that is open.",
        )
        spec.outputs_by_label(TrajectoryData, runs="The hot runs.")
        spec.exit_code(323, "ERROR_DYNAMICS_FAILED", message="the hot runs failed: {detail}")
        spec.exit_code(321, "ERROR_EVALUATION_FAILED", message="the forces of the displaced atoms failed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other: what is known, against what it is."""
        super().check_inputs(inputs)
        if "reference" in inputs and "structure" in inputs:
            atoms = without_images(to_atoms(inputs["structure"]))
            is_molecule = not atoms.pbc.any()
            n_modes = 3 * len(atoms) - len(rigid_motions(atoms)) if is_molecule else None
            check_finite_reference(inputs["reference"].get_dict(), n_modes)

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Leave hot runs out where nobody asks for them."""
        inputs = super().with_children(protocol, inputs, overrides)
        return inputs if "base" in overrides else {name: value for name, value in inputs.items() if name != "base"}

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData,
        protocol: str | None = None,
        *,
        temperatures: Sequence[float] | None = None,
        reference: Mapping[str, Any] | Dict | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run; ``builder.pop("relax")`` takes the geometry as it is.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: a molecule or a slab.
        :param temperatures: K; where given, it is run there. The time step is halved where there is hydrogen.
        :param reference: what is known, see the port's help.
        """
        if temperatures is not None:
            time_step = 0.5 if "H" in structure.get_symbols_set() else 1.0
            hot = {"temperatures": list(temperatures), "time_step": time_step}
            overrides = merged({"base": {"dynamics": {"parameters": hot}}}, overrides or {})
        inputs = cls.get_protocol_inputs(protocol, overrides) | without_none(reference=reference)
        return cls.build(inputs, options, code=code, model=model, structure=structure)

    def explain_no_crystal(self, summary: Dict) -> None:
        """Say that what could not be relaxed has no vibrations."""
        self.ctx.summary = explain_missing_vibrations(summary)
        self.out("summary", self.ctx.summary)

    def displace(self) -> None:
        """Repeat what is periodic, and displace each atom."""
        atoms, parameters = to_atoms(self.ctx.structure), self.inputs.parameters
        length = validate_vibrations(parameters.get_dict())["shortest_length"]
        is_repeated = max(repeats_for(atoms, length)) > 1
        self.ctx.cell = repeat_slab(self.ctx.structure, parameters) if is_repeated else self.ctx.structure
        self.ctx.frames = displace_atoms(self.ctx.cell, parameters)

    def run_jobs(self) -> ToContext:
        """Evaluate all that is displaced in one job, and run it hot in another."""
        jobs = {"evaluation": self.submit_restarting(EvaluateBaseWorkChain, "forces", trajectory=self.ctx.frames)}
        if "base" in self.inputs:
            jobs["hot"] = self.submit_restarting(DynamicsBaseWorkChain, "base", structure=self.ctx.cell)
        return ToContext(**jobs)

    def inspect_jobs(self) -> ExitCode | None:
        """Attach all that follows from the forces, and the hot runs."""
        child, hot = self.ctx.evaluation, self.ctx.get("hot")
        if not child.is_finished_ok:
            return self.failure("ERROR_EVALUATION_FAILED", message_of(child))
        found = find_vibrations(self.ctx.cell, self.inputs.parameters, child.outputs.properties)
        self.ctx.summary = found["summary"]
        self.out_many(found)
        if hot is not None:
            self.out("runs", _trajectories_of(hot))
        if hot is not None and not hot.is_finished_ok:  # what explodes or gives NaN has finished: that is a result
            return self.failure("ERROR_DYNAMICS_FAILED", message_of(hot))
        return None

    def judge(self) -> None:
        """Say what all of it tells of the model."""
        given = self.inputs
        hot, relaxed = self.ctx.get("hot"), self.ctx.get("relaxed", {}).get(SINGLE)
        runs = {} if hot is None else _trajectories_of(hot)
        evidence = without_none(
            relaxation=self.ctx.get("relaxation_summary"),
            relaxed=relaxed,
            reference=given.get("reference"),
            hot=None if hot is None else hot.outputs.results,
            cell=None if hot is None else self.ctx.cell,
        )
        verdict = judge_finite_model(
            given.structure, given.model, given.parameters, self.ctx.verification, self.ctx.summary, **evidence, **runs
        )
        self.out("verdict", verdict)
        self.report(verdict["headline"])


def _trajectories_of(hot: ProcessNode) -> dict[str, TrajectoryData]:
    """Return the frames of hot runs by their labels; a run that failed at once has none."""
    return dict(hot.outputs.trajectories.items()) if "trajectories" in hot.outputs else {}


def check_small(structure: StructureData) -> None:
    """Refuse a single atom, which does not vibrate, and more atoms than can be displaced one by one.

    :raises ValueError: one line.
    """
    n_atoms = len(to_atoms(structure))
    if n_atoms < 2:
        raise ValueError(
            f"{structure.get_formula()} is a single atom, which does not vibrate: give a molecule or a slab"
        )
    if n_atoms > MOST_ATOMS:
        formula = structure.get_formula()
        raise ValueError(f"{formula} has {n_atoms} atoms, and each is displaced six times: give at most {MOST_ATOMS}")
