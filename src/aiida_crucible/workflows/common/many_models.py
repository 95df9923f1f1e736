"""What WorkChains share that ask the same of many models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.environments.codes import as_code
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.concurrency import RunsInWaves
from aiida_crucible.workflows.common.protocols import ProtocolMixin

Models = Mapping[str, tuple[AbstractCode | str, ModelData]]
"""By label, the Python of the model's environment (or its label) and which potential."""


class ManyModels(ProtocolMixin, RunsInWaves):
    """A WorkChain that asks the same of many models, each in its own environment."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare the models and their environments."""
        super().define(spec)
        spec.inputs_by_label(ModelData, check_models, models="The potentials, by label.")
        spec.inputs_by_label(AbstractCode, codes="The environment of each, by the same labels.")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that each model has its environment, and the right one."""
        super().check_inputs(inputs)
        models, codes = inputs.get("models", {}), inputs.get("codes", {})
        if not models and "structure" not in inputs:
            return  # a WorkChain around this one fills them in
        if not models:
            raise ValueError("there is nothing to compare: give models")
        if set(models) != set(codes):
            alone = ", ".join(sorted(set(models) ^ set(codes)))
            raise ValueError(f"models and codes have not the same labels ({alone} is only in one of them)")
        for label, model in models.items():
            validation.check_trust(model)
            validation.check_environment(codes[label], model)
        if "structure" in inputs:
            _require_a_model_that_knows(models, inputs["structure"])

    @staticmethod
    def by_label(models: Models) -> dict[str, dict[str, Any]]:
        """Return the inputs ``codes`` and ``models``.

        :raises ValueError: one line, if there are none.
        """
        if not models:
            raise ValueError("there is nothing to compare: give models")
        return {
            "codes": {label: as_code(code) for label, (code, _) in models.items()},
            "models": {label: model for label, (_, model) in models.items()},
        }

    @property
    def is_queued(self) -> bool:
        """Whether every environment is on a computer whose scheduler keeps jobs apart."""
        return all(code.computer.scheduler_type != "core.direct" for code in self.inputs.codes.values())


def _require_a_model_that_knows(models: Mapping[str, ModelData], structure: StructureData) -> None:
    """Refuse a structure of which no model knows all elements; where some do, the others are told of in the end.

    :raises ValueError: one line.
    """
    refusals = []
    for model in models.values():
        try:
            validation.check_elements(model, validation.symbols_of({"structure": structure}))
        except ValueError as error:
            refusals.append(str(error))
    if len(refusals) == len(models):
        none = f"none of the {len(models)} models can be asked: " if len(models) > 1 else ""
        raise ValueError(f"{none}{refusals[0]}")


def check_models(models: Mapping[str, ModelData]) -> None:
    """Refuse labels that can be no names, and the same model twice.

    :raises ValueError: one line.
    """
    check_labels("a model", models)
    seen: dict[str, str] = {}
    for label, model in models.items():
        other = seen.setdefault(str(model.uuid), label)
        if other != label:
            raise ValueError(f"{label!r} and {other!r} are the same model: give it once")
