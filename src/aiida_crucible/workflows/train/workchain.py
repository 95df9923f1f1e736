"""Training of a model: verified, its labels checked against it and shifted to its zero, trained, compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext
from aiida.orm import AbstractCode, ArrayData, Dict

from aiida_crucible.analysis.datasets.energy_shifts import require_determined
from aiida_crucible.analysis.datasets.splits import TRAINING
from aiida_crucible.analysis.datasets.training_settings import validate_training
from aiida_crucible.analysis.model_tests.theories import name_of_theory
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.calculations.train.calculation import check_dataset, check_method
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.training.dataset import DatasetData
from aiida_crucible.workflows.common.protocols import with_checked_arguments
from aiida_crucible.workflows.common.verified import VerifiedWorkChain
from aiida_crucible.workflows.common.workchain import call_once, message_of
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.train.base import TrainBaseWorkChain
from aiida_crucible.workflows.train.calcfunctions import prepare_training, prepared, summarise_training


class TrainWorkChain(VerifiedWorkChain):
    """Verify a model, look at the labels of a dataset with its eyes, train it, and tell what that has brought.

    Whatever training does is a result: one that diverged ends with exit status 0 and its step in ``summary``.
    """

    JOBS = ("verify.verify", "evaluate.evaluate", "train.train")

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, steps and outputs."""
        super().define(spec)
        spec.input_nodes(DatasetData, check_dataset, dataset="Labelled frames, each on its side.")
        settings_input(
            spec,
            "parameters",
            validate_training,
            "How labels are made fit for the model, see "
            "`aiida_crucible.analysis.datasets.training_settings.SETTINGS` for names and defaults.",
        )
        EvaluateBaseWorkChain.expose_in(
            spec, "evaluate", "How to evaluate the dataset with the model as it is, see `crucible.evaluate.base`."
        )
        TrainBaseWorkChain.expose_in(spec, "train", "How to train, see `crucible.train.base`.")
        spec.outline(
            cls.verify,
            cls.inspect_verification,
            cls.evaluate,
            cls.inspect_evaluation,
            cls.train,
            cls.inspect_training,
        )
        spec.output_nodes(ModelData, trained="The trained potential; none where nothing was learnt before it diverged.")
        spec.output_nodes(DatasetData, dataset="The dataset with its energies on the model's zero.")
        spec.output_nodes(
            ArrayData,
            curves="Losses and errors, a number an epoch, see `crucible.train`.",
            before="What the model answered for the frames as it was, see `crucible.evaluate`.",
            after="What the trained one answers, see `properties` of `crucible.train`.",
        )
        spec.output_nodes(
            Dict,
            summary="`outcome` (trained, stopped-early or diverged) with its `reason`, `errors` before and after on "
            "each side, by element and by the size of the force, `ratios`, `labels` (the shift of energies), "
            "`seconds`, `weights` (sha256), `warnings`.",
        )
        spec.exit_code(326, "ERROR_DATASET_REFUSED", message="the dataset cannot be trained on: {detail}")
        spec.exit_code(321, "ERROR_EVALUATION_FAILED", message="the dataset could not be evaluated: {detail}")
        spec.exit_code(327, "ERROR_TRAINING_FAILED", message="the model could not be trained: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check that the model's family can train so, and that the dataset determines the shifts that are wanted."""
        super().check_inputs(inputs)
        if "dataset" in inputs:
            settings = validate_training(inputs["parameters"].get_dict())
            dataset = inputs["dataset"]
            require_determined(dataset.frames(), dataset.sides == TRAINING, settings["energy_shift"])
        if "model" in inputs:
            check_method(inputs["model"], inputs["train"]["train"]["parameters"].get_dict())

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of the dataset."""
        dataset: DatasetData | None = inputs.get("dataset")
        return {} if dataset is None else {f"dataset {dataset.title}": set(dataset.elements)}

    @classmethod
    @with_checked_arguments
    def get_builder_from_protocol(
        cls,
        code: AbstractCode | str,
        model: ModelData,
        dataset: DatasetData,
        protocol: str | None = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that is ready to run.

        Further arguments are those of every WorkChain with protocols: :class:`ProtocolMixin`.

        :param dataset: labelled frames.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.build(inputs, options, code=code, model=model, dataset=dataset)
        builder.metadata.label = f"{dataset.title} · {model.title}"
        return builder

    def evaluate(self) -> ToContext:
        """Let the model answer for the frames as it is."""
        return ToContext(
            evaluating=self.submit_restarting(EvaluateBaseWorkChain, "evaluate", dataset=self.inputs.dataset)
        )

    def inspect_evaluation(self) -> ExitCode | None:
        """Check the labels, and put their energies on the model's zero."""
        child = self.ctx.evaluating
        if not child.is_finished_ok:
            return self.failure("ERROR_EVALUATION_FAILED", message_of(child))
        model, dataset, parameters = self.inputs.model, self.inputs.dataset, self.inputs.parameters
        self.ctx.before = child.outputs.properties
        self.out("before", self.ctx.before)
        theory = name_of_theory(model.functional, model.hubbard_u, model.dispersion)
        about = {"title": model.title, "theory": theory}
        try:
            prepared(dataset, self.ctx.before, parameters.get_dict(), about)
        except ValueError as error:
            return self.failure("ERROR_DATASET_REFUSED", str(error))
        found = call_once(self, "prepare", prepare_training, dataset, self.ctx.before, parameters, Dict(about))
        self.ctx.dataset, self.ctx.report = found["dataset"], found["report"]
        self.out("dataset", self.ctx.dataset)
        return None

    def train(self) -> ToContext:
        """Train."""
        return ToContext(training=self.submit_restarting(TrainBaseWorkChain, "train", dataset=self.ctx.dataset))

    def inspect_training(self) -> ExitCode | None:
        """Attach what came out, and tell what it has brought."""
        child = self.ctx.training
        names = {"trained": "trained", "curves": "curves", "properties": "after"}
        for theirs, ours in names.items():
            if theirs in child.outputs:
                self.out(ours, child.outputs[theirs])
        if not child.is_finished_ok:
            return self.failure("ERROR_TRAINING_FAILED", message_of(child))
        summary = summarise_training(child.outputs.results, self.ctx.dataset, self.ctx.before, self.ctx.report)
        self.out("summary", summary)
        return None
