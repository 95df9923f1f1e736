"""A crystal at many temperatures with one model: verified, run, watched, analysed; what fails loses nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, if_, while_
from aiida.orm import AbstractCode, ArrayData, Data, Dict, ProcessNode, Str, StructureData, TrajectoryData

from aiida_crucible.analysis.dynamics.sweep_settings import INDEPENDENT, SweepJob, plan_jobs, validate_sweep
from aiida_crucible.analysis.dynamics.temperature_record import FAILED, NOT_RUN
from aiida_crucible.analysis.transitions.records import CRYSTAL_OUTCOMES
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.concurrency import RunsInWaves, Share, choose_share
from aiida_crucible.workflows.common.protocols import with_checked_arguments, without_none
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.sweep.calcfunctions import summarise_sweep
from aiida_crucible.workflows.sweep.ensemble import AsksMembers
from aiida_crucible.workflows.sweep.inputs import (
    check_charges_array,
    check_crystal_inputs,
    check_dynamics_parameters,
    check_sweep_crystal,
    count_postponed,
    describe_run,
    is_done,
    outputs_of,
    parameters_of_job,
)
from aiida_crucible.workflows.sweep.run_calcfunctions import analyse_temperature, build_supercell


class TemperatureSweepWorkChain(AsksMembers, RunsInWaves):
    """Verify a model, run a crystal with it at many temperatures, and say what it does at each and over all of them.

    The crystal is relaxed first where the input ``relax`` says how. Whatever the physics says is a result: a crystal
    that melts, explodes or cannot be relaxed ends with exit status 0. A job that fails for another reason is told of in
    ``summary``, and the other temperatures are analysed.
    """

    JOBS = ("verify.verify", "relax.relax", "base.dynamics", "members.evaluate")
    PTO_TEST = ("pto-test-npt", "pto-test-nvt", "pto-test-npt-small", "pto-test-nvt-small")
    VERIFY_PROTOCOLS: ClassVar[Mapping[str, str]] = dict.fromkeys(PTO_TEST, "pto-test")
    RELAXED_PROTOCOLS = PTO_TEST

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(
            StructureData,
            check_sweep_crystal,
            structure="A crystal: the unit cell, in whose axes everything is told.",
        )
        settings_input(
            spec,
            "parameters",
            validate_sweep,
            "See `aiida_crucible.analysis.dynamics.sweep_settings.SETTINGS` for names, units, ranges, defaults.",
            has_default=False,
        )
        spec.input_nodes(
            StructureData,
            check_sweep_crystal,
            required=False,
            reference_structure="The high-symmetry (centrosymmetric) structure, the unit cell's atoms in its order: "
            "what order parameters and polarization are counted from.",
        )
        spec.input_nodes(
            ArrayData,
            check_charges_array,
            required=False,
            born_charges="For the polarization: array `charges` (e, [n_atoms, 3, 3], of the unit cell).",
        )
        DynamicsBaseWorkChain.expose_in(
            spec,
            "base",
            "How to run, see `crucible.dynamics.base`; temperatures, start and number of the first replica are the "
            "sweep's.",
        )
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.has_crystal)(cls.plan, while_(cls.has_jobs)(cls.run_jobs, cls.inspect_jobs)),
            if_(cls.has_frames_for_members)(cls.ask_members, cls.weigh_members),
            cls.analyse,
        )
        spec.output_nodes(StructureData, supercell="What was run.")
        spec.outputs_by_label(
            (TrajectoryData, ArrayData, StructureData, Dict),
            runs="By temperature (`T300`, `T312p5`): `trajectory`, `series`, `averages` and `final` of the job, see "
            "`crucible.dynamics`, `analysis`, `distributions` and `mean_structure`.",
        )
        spec.output_nodes(
            ArrayData,
            curves="Over `temperatures` (K, ascending): each average, its `_error` (standard) and `_deviation`; "
            "lattice parameters in the axes of the unit cell (Å, degrees, Å³ a formula unit), pressure (GPa), "
            "polarization (µC/cm²) …; NaN where there is none.",
        )
        spec.output_nodes(
            Dict,
            analysis="By temperature: state, outcome and all averages.",
            transitions="`status` (found, no-transition, cannot-tell), `verdict`, `doubts`, and `transitions` (of "
            "crystals or melting) with kind, temperature (K), interval, space groups and evidence.",
            summary="For each of start, runs, stability, symmetry, transitions and averages: question, answer (yes, "
            "no, cannot-tell, not-asked), reason, evidence; and `outcomes` by temperature.",
        )
        spec.exit_code(332, "ERROR_EVERY_TEMPERATURE_FAILED", message="no temperature could be run: {detail}")

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of the crystal."""
        return {"the structure": inputs["structure"].get_symbols_set()} if "structure" in inputs else {}

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other: the size of the supercell, the reference, the charges, the dynamics."""
        super().check_inputs(inputs)
        if "parameters" in inputs:
            check_dynamics_parameters(inputs["base"]["dynamics"]["parameters"])
            if "structure" in inputs:
                check_crystal_inputs(inputs)

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
        reference_structure: StructureData | None = None,
        born_charges: ArrayData | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        The protocols of the PbTiO3 test relax the crystal first; the others do if ``overrides`` have ``relax``, with
        settings of its own or ``{}``. ``builder.pop("relax")`` takes the crystal as it is.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: the unit cell of a crystal.
        :param temperatures: K; those of the protocol if ``None``.
        :param reference_structure: the high-symmetry structure, the same atoms in the same order.
        :param born_charges: array ``charges``, e, [n_atoms, 3, 3].
        """
        inputs = cls.without_members(cls.get_protocol_inputs(protocol, overrides), model)
        if temperatures is not None:
            inputs["parameters"] = {**inputs["parameters"], "temperatures": list(temperatures)}
        inputs |= without_none(reference_structure=reference_structure, born_charges=born_charges)
        return cls.build(inputs, options, code=code, model=model, structure=structure)

    def plan(self) -> None:
        """Make the supercell and say how many jobs run at once."""
        self.ctx.supercell = self.ctx.start = build_supercell(self.ctx.structure, self.inputs.parameters)
        self.out("supercell", self.ctx.supercell)
        self.ctx.next_job = 0
        share = self.share()
        cores = "" if share.cores is None else f", on {share.cores} core{'s' * (share.cores > 1)} each"
        self.report(f"{len(self._jobs)} jobs of {len(self.ctx.supercell.sites)} atoms: {share.at_once} at once{cores}")

    def has_jobs(self) -> bool:
        """Return whether there are jobs to run: none is behind the end of a chain."""
        return self.ctx.chain_end is None and super().has_jobs()

    def job_names(self) -> list[str]:
        """Return the names of the jobs planned."""
        return list(self._jobs)

    def share(self) -> Share:
        """Return how many jobs run at once."""
        n_jobs = 1 if self._is_chain else len(self._jobs)
        return choose_share(self.inputs.code, self.inputs.base.dynamics, n_jobs, self._settings["max_concurrent"])

    def submit_job(self, name: str, cores: int | None) -> ProcessNode:
        """Run a part of the temperatures."""
        job = self._jobs[name]
        shared = self.inputs.base.dynamics.parameters.get_dict()
        own = {"structure": self.ctx.start, "parameters": Dict(parameters_of_job(shared, job, self._is_chain))}
        if self.ctx.start.uuid != self.ctx.supercell.uuid:
            own["reference"] = self.ctx.supercell
        call = "_".join((job.labels[0], *job.labels[1:][-1:]))
        return self.submit_restarting(DynamicsBaseWorkChain, "base", call, cores, **own)

    def inspect_jobs(self) -> None:
        """Attach and analyse what came of the jobs."""
        for name in self.ctx.running:
            job, child = self._jobs[name], self.ctx[name]
            n_postponed = 0 if self._is_chain else count_postponed(child, len(job.temperatures))
            n_tried = len(job.temperatures) - n_postponed
            for position, label in enumerate(job.labels[:n_tried]):
                self._inspect_run(label, f"replica_{position}", child)
            if n_postponed:
                self.ctx.postponed.append((job.first + n_tried, job.temperatures[n_tried:]))
                self.report(f"{', '.join(job.labels[n_tried:])}: run in a job of their own")
            if self._is_chain and self.ctx.chain_end is None:
                self.ctx.start = child.outputs.final[f"replica_{len(job.labels) - 1}"]

    def analyse(self) -> ExitCode | None:
        """Say what the temperatures tell together; fail only if there was a crystal and not one of them ran."""
        not_run = {"state": NOT_RUN, "reason": self.ctx.not_relaxed or self.ctx.chain_end}
        without = [label for job in self._jobs.values() for label in job.labels if label not in self.ctx.analyses]
        missing = {**self.ctx.missing, **{label: not_run for label in without if label not in self.ctx.missing}}
        self.out_many(
            summarise_sweep(
                self.ctx.structure or self.inputs.structure,
                self.inputs.parameters,
                Dict(missing),
                self.inputs.base.dynamics.parameters,
                **self.ctx.analyses,
            )
        )
        if self.ctx.analyses or self.ctx.not_relaxed:
            return None
        return self.failure("ERROR_EVERY_TEMPERATURE_FAILED", next(iter(missing.values()))["reason"])

    @property
    def _settings(self) -> dict[str, Any]:
        return validate_sweep(self.inputs.parameters.get_dict())

    @property
    def _jobs(self) -> dict[str, SweepJob]:
        """The jobs planned, and those for what a failed temperature kept from running."""
        postponed = [SweepJob(first, tuple(temperatures)) for first, temperatures in self.ctx.postponed]
        return {f"job_{index}": job for index, job in enumerate([*plan_jobs(self._settings), *postponed])}

    @property
    def _is_chain(self) -> bool:
        """Whether each temperature begins where the one before ended."""
        return bool(self._settings["mode"] != INDEPENDENT)

    def _inspect_run(self, label: str, replica: str, child: ProcessNode) -> None:
        """Attach and analyse one temperature; a chain ends where its crystal is lost or a job failed."""
        if self.ctx.chain_end is not None:
            self.ctx.missing[label] = {"state": NOT_RUN, "reason": self.ctx.chain_end}
            return
        outputs = outputs_of(child, replica)
        for name, node in outputs.items():
            self.out(f"runs.{label}.{name}", node)
        if not is_done(child, replica):
            self.report(f"{label} failed: {message_of(child)}")
            self.ctx.missing[label] = {"state": FAILED, "reason": message_of(child)}
            self.ctx.chain_end = f"{label}, where it was to begin, failed" if self._is_chain else None
            return
        analysis = self._analyse_run(label, replica, child, outputs)
        if self._is_chain and analysis["outcome"] not in CRYSTAL_OUTCOMES:
            self.ctx.chain_end = f"the crystal was lost at {analysis['temperature']:g} K ({analysis['outcome']})"
            self.report(f"the chain ends: {self.ctx.chain_end}")

    def _analyse_run(self, label: str, replica: str, child: ProcessNode, outputs: Mapping[str, Data]) -> Dict:
        given = {name: node for name, node in outputs.items() if name != "final"}
        given |= {name: self.inputs[name] for name in ("reference_structure", "born_charges") if name in self.inputs}
        given |= {"displaced_structure": self.inputs.structure} if "relax" in self.inputs else {}
        found = analyse_temperature(
            self.ctx.structure,
            self.ctx.supercell,
            self.inputs.parameters,
            results=child.outputs.results,
            replica=Str(replica),
            **given,
        )
        for name, node in found.items():
            self.out(f"runs.{label}.{name}", node)
        if not self.ctx.analyses:
            self.warn_of_start(found["analysis"])
        self.ctx.analyses[label] = found["analysis"]
        if found["analysis"]["outcome"] in CRYSTAL_OUTCOMES and "trajectory" in outputs:
            self.note_frames(label, replica, child.outputs.results, outputs["trajectory"])
        self.report(describe_run(label, found["analysis"].get_dict()))
        return found["analysis"]
