"""What properties of crystals share: a crystal at rest, cells made of it in one job, what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec
from aiida.orm import AbstractCode, Data, Dict, ProcessNode, StructureData, to_aiida_type

from aiida_crucible.calculations import validation
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.protocols import with_checked_arguments, without_none
from aiida_crucible.workflows.common.workchain import message_of
from aiida_crucible.workflows.relax.base import CrystalRelaxedFirst, did_not_converge


class ComparedCrystalWorkChain(CrystalRelaxedFirst):
    """A WorkChain that relaxes a crystal, and compares what follows from it with a reference.

    :cvar REFERENCE_HELP: what may be known, for the port's help.
    """

    VERIFY_PROTOCOLS: ClassVar[Mapping[str, str]] = {"matcalc": "balanced"}
    RELAX_HELP = "How to relax first, see `crucible.relax.base`; left out, the structure is taken as it is."
    RELAXED_HELP = "The relaxed crystal."
    REFERENCE_HELP: ClassVar[str]

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare what is known."""
        super().define(spec)
        spec.input(
            "reference",
            valid_type=Dict,
            required=False,
            serializer=to_aiida_type,
            validator=validation.validator(lambda reference: cls.check_reference(reference.get_dict())),
            help=cls.REFERENCE_HELP,
        )

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        structure: StructureData,
        protocol: str | None = None,
        *,
        reference: Mapping[str, Any] | Dict | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run; ``builder.pop("relax")`` takes the structure as it is.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param structure: a crystal.
        :param reference: what is known, see the port's help.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides) | without_none(reference=reference)
        return cls.build(inputs, options, code=code, model=model, structure=structure)

    @staticmethod
    def check_reference(reference: Mapping[str, Any]) -> None:
        """Refuse what is known of something else.

        :raises ValueError: one line.
        """
        raise NotImplementedError


class StrainedCrystalWorkChain(ComparedCrystalWorkChain):
    """A WorkChain that relaxes a crystal, strains it, and compares what follows with a reference."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare how the cells fail."""
        super().define(spec)
        spec.exit_code(324, "ERROR_STRAINED_CELLS_FAILED", message="the strained cells failed: {detail}")

    def require_cells(self, child: ProcessNode) -> ExitCode | None:
        """Refuse a job of strained cells that failed; that some did not converge is a result."""
        if not child.is_finished_ok and not did_not_converge(child):
            return self.failure("ERROR_STRAINED_CELLS_FAILED", message_of(child))
        return None

    def fit(self, child: ProcessNode, function: Callable[..., dict[str, Data]]) -> ExitCode | None:
        """Attach what a calcfunction makes of the strained cells; what did not converge is its to judge.

        :param child: that computed them.
        :param function: of the crystal, the parameters, ``properties``, ``results`` and the reference.
        """
        if (failure := self.require_cells(child)) is not None:
            return failure
        known, outputs = without_none(reference=self.inputs.get("reference")), child.outputs
        self.out_many(
            function(self.ctx.structure, self.inputs.parameters, outputs.properties, outputs.results, **known)
        )
        return None


def require_fixed_volume(inputs: Mapping[str, Any]) -> None:
    """Refuse to let go of the volume of cells whose volume is given.

    :param inputs: with the namespace ``volumes``.
    :raises ValueError: one line.
    """
    cell = inputs["volumes"]["relax"]["parameters"].get("cell", "full")
    if cell not in ("fixed", "shape"):
        raise ValueError(
            f"parameter 'cell' of volumes is {cell!r}, but each cell keeps its volume: give 'shape', or 'fixed' for "
            "the atoms alone"
        )
