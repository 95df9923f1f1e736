"""Where in configuration space two or more samplers have been: kernel, map, overlap, figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext
from aiida.orm import AbstractCode, ArrayData, Int, SinglefileData, TrajectoryData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import code_input, trajectories_input
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
        code_input(spec, "The Python of the environment of the tools (`aiida-crucible env create analysis`).")
        trajectories_input(spec, "The frames of each sampler, by a name of its own.")
        spec.input_namespace(
            "sigmas",
            valid_type=ArrayData,
            dynamic=True,
            required=False,
            help="σ(t) of samplers, by the same names: an output of `crucible.anharmonicity` in `details` that was "
            "measured at the sampler's frames, or an array `sigma`, one number for each frame of the trajectory.",
        )
        SimilarityBaseWorkChain.expose_in(spec, "base", "How to compare, see `crucible.similarity.base`.")
        spec.outline(cls.compare, cls.inspect_comparison)
        spec.expose_outputs(SimilarityBaseWorkChain)
        spec.output("figure", valid_type=SinglefileData, required=False, help="The map as a picture (PNG).")
        spec.output("chemiscope", valid_type=SinglefileData, required=False, help="The map as a chemiscope file.")
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
                try:
                    run_in_details(node, trajectories[name])
                except ValueError as error:
                    raise ValueError(f"sigmas of {name!r} are scores of a measurement: {error}") from None
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

        :param code: the Python of the tools' environment, or its label.
        :param trajectories: the frames of each sampler by name.
        :param protocol: one of :meth:`get_available_protocols`.
        :param sigmas: σ(t) of samplers by name, see the port's help.
        :param overrides: inputs to set otherwise, nested as the ports are.
        :param options: ``metadata.options`` of the job.
        :raises ValueError: one line, if something is misspelt or does not fit.
        """
        given = {"trajectories": dict(trajectories), "sigmas": dict(sigmas or {})}
        return cls.build(cls.get_protocol_inputs(protocol, overrides), options, code=code, **given)

    def compare(self) -> ToContext:
        """Compare all frames in one job."""
        inputs = AttributeDict(self.exposed_inputs(SimilarityBaseWorkChain, "base"))
        inputs.similarity.update(code=self.inputs.code, trajectories=self.inputs.trajectories)
        return ToContext(comparison=self.submit(SimilarityBaseWorkChain, **inputs))

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
