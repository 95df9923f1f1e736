"""Where in configuration space two or more samplers have been: kernel, map, overlap, figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext
from aiida.orm import AbstractCode, ArrayData, Int, SinglefileData, TrajectoryData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.similarity.calculation import SimilarityCalculation, check_comparable
from aiida_crucible.nodes.anharmonicity_scores import SIGMA, are_details, run_in_details
from aiida_crucible.workflows.common.protocols import (
    ProtocolMixin,
    with_checked_arguments,
)
from aiida_crucible.workflows.common.restart import EngineRestartWorkChain
from aiida_crucible.workflows.common.workchain import CrucibleWorkChain
from aiida_crucible.workflows.configuration_space.calcfunctions import draw_configuration_space, spread_scores


class SimilarityBaseWorkChain(EngineRestartWorkChain):
    """Compare frames; the tiles of the kernel that an interrupted job had done are not computed again."""

    NAMESPACE = "similarity"
    _process_class = SimilarityCalculation


class ConfigurationSpaceWorkChain(ProtocolMixin, CrucibleWorkChain):
    """Compare the frames of samplers, map them, say how much they overlap, and draw them by sampler and by σ(t)."""

    JOBS = ("base.similarity",)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        tools = "The Python of the environment of the tools (`aiida-crucible env create analysis`)."
        spec.input_nodes(AbstractCode, validation.check_code, code=tools)
        spec.inputs_by_label(
            TrajectoryData,
            validation.check_trajectories,
            trajectories="The frames of each sampler, by a name of its own.",
        )
        spec.inputs_by_label(
            ArrayData,
            required=False,
            sigmas="σ(t) of samplers, by the same names: an output of `crucible.anharmonicity` in `details` that was "
            "measured at the sampler's frames, or an array `sigma`, one number for each frame of the trajectory.",
        )
        SimilarityBaseWorkChain.expose_in(spec, "base", "How to compare, see `crucible.similarity.base`.")
        spec.outline(cls.compare, cls.inspect_comparison)
        spec.expose_outputs(SimilarityBaseWorkChain)
        spec.output_nodes(
            SinglefileData, figure="The map as a picture (PNG).", chemiscope="The map as a chemiscope file."
        )
        spec.exit_code(330, "ERROR_COMPARISON_FAILED", message="the comparison failed: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that there are frames to compare, and that each σ belongs to a frame.

        :raises ValueError: one line.
        """
        trajectories = inputs.get("trajectories") or {}
        check_comparable(trajectories, inputs["base"]["similarity"]["parameters"])
        for name, node in (inputs.get("sigmas") or {}).items():
            if name not in trajectories:
                raise ValueError(f"sigmas has {name!r}, which is no trajectory: give {', '.join(sorted(trajectories))}")
            if are_details(node):
                with validation.naming(f"sigmas of {name!r} are scores of a measurement"):
                    run_in_details(node, trajectories[name])
                continue
            if SIGMA not in node.get_arraynames() or node.get_array(SIGMA).shape != (trajectories[name].numsteps,):
                raise ValueError(
                    f"sigmas of {name!r} has no array {SIGMA!r} with {trajectories[name].numsteps} numbers, one for "
                    "each frame of the trajectory"
                )
        if inputs.get("code") is not None:
            validation.check_tools(inputs["code"], "similarity")

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        trajectories: Mapping[str, TrajectoryData],
        protocol: str | None = None,
        *,
        sigmas: Mapping[str, ArrayData] | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param code: the Python of the tools' environment, or its label.
        :param trajectories: the frames of each sampler by name.
        :param sigmas: σ(t) of samplers by name, see the port's help.
        """
        given = {"trajectories": dict(trajectories), "sigmas": dict(sigmas or {})}
        return cls.build(cls.get_protocol_inputs(protocol, overrides), options, code=code, **given)

    def compare(self) -> ToContext:
        """Compare all frames in one job."""
        job = self.submit_restarting(SimilarityBaseWorkChain, "base", trajectories=self.inputs.trajectories)
        return ToContext(comparison=job)

    def inspect_comparison(self) -> ExitCode | None:
        """Attach what there is, and draw it."""
        child = self.ctx.comparison
        self.out_many(self.exposed_outputs(child, SimilarityBaseWorkChain))
        if not child.is_finished_ok:
            return self.failure("ERROR_COMPARISON_FAILED", child.exit_message)
        nodes = {f"trajectory_{name}": node for name, node in self.inputs.trajectories.items()}
        nodes |= {f"sigma_{name}": self._sigma_of(name, node) for name, node in self.inputs.get("sigmas", {}).items()}
        drawn = draw_configuration_space(results=child.outputs.results, map=child.outputs.map, **nodes)
        self.out_many(drawn)
        return None

    def _sigma_of(self, name: str, node: ArrayData) -> ArrayData:
        """Return σ(t) of a sampler, frame by frame."""
        if not are_details(node):
            return node
        trajectory = self.inputs.trajectories[name]
        return spread_scores(node, trajectory, Int(run_in_details(node, trajectory)))
