"""The last step of a temperature sweep with an ensemble: its members are asked about the frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ProcessSpec, ToContext
from aiida.orm import Dict, ProcessNode, Str, TrajectoryData

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.sweep.ensemble_calcfunctions import summarise_members, weigh_members
from aiida_crucible.workflows.sweep.relaxation import RelaxedFirst

NAMESPACE = "members"


class AsksMembers(RelaxedFirst):
    """A sweep that, of a model with an ensemble, says how far its averages may be off.

    In the context: ``weighable``, by temperature's label, the job's results, the run's name there, and its frames.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare how to ask, and what comes of it."""
        super().define(spec)
        EvaluateBaseWorkChain.expose_in(
            spec,
            NAMESPACE,
            "How to ask the members of an ensemble about the frames, see `crucible.evaluate.base`; left out, or of a "
            "model without one, nobody is asked.",
            is_optional=True,
        )
        spec.output_nodes(
            Dict,
            ensemble="Of a model with an ensemble: whether its members say how far the averages may be off (question, "
            "answer, reason), and as `evidence` by temperature the lattice parameters that each would have found "
            "(`members`) and the `intervals` of a further one.",
        )

    @classmethod
    def without_members(cls, inputs: Mapping[str, Any], model: ModelData) -> dict[str, Any]:
        """Return inputs without how to ask members that a model does not have."""
        return {name: value for name, value in inputs.items() if name != NAMESPACE or model.n_members}

    def has_frames_for_members(self) -> bool:
        """Return whether there are members to ask, and frames of crystals to ask them about."""
        return NAMESPACE in self.inputs and bool(self.inputs.model.n_members) and bool(self.ctx.weighable)

    def ask_members(self) -> ToContext:
        """Evaluate all frames in one job."""
        trajectories = {label: trajectory for label, (_, _, trajectory) in self.ctx.weighable.items()}
        return ToContext(
            members=self.submit_restarting(EvaluateBaseWorkChain, NAMESPACE, "members", trajectories=trajectories)
        )

    def weigh_members(self) -> None:
        """Attach what the members say; without them the averages are those of their mean."""
        child: ProcessNode = self.ctx.members
        if not child.is_finished_ok:
            self.report(f"the members of the ensemble were not asked: {message_of(child)}")
            return
        found = {}
        for label, (results, replica, trajectory) in self.ctx.weighable.items():
            found[label] = weigh_members(
                self.ctx.structure,
                self.ctx.supercell,
                self.inputs.parameters,
                results=results,
                replica=Str(replica),
                trajectory=trajectory,
                properties=child.outputs.properties_of[label],
            )
        summary = summarise_members(**found)
        self.out("ensemble", summary)
        self.report(f"{summary['question']} {summary['answer']}: {summary['reason']}")

    def note_frames(self, label: str, replica: str, results: Dict, trajectory: TrajectoryData) -> None:
        """Remember the frames of a crystal, to ask the members about."""
        self.ctx.weighable[label] = (results, replica, trajectory)
