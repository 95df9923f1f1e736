"""What the WorkChains share: a model, a code, and that the model is verified before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessSpec, ToContext
from aiida.orm import Dict, ProcessNode, StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.calculations.ports import model_inputs
from aiida_crucible.calculations.verifications import require_capability
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.common.protocols import ProtocolMixin
from aiida_crucible.workflows.common.workchain import CrucibleWorkChain, message_of
from aiida_crucible.workflows.verify.workchain import VerifyWorkChain, check_fit, needs_of


class VerifiedProtocolMixin(ProtocolMixin):
    """Gives a WorkChain protocols with those of the verification of its model, in the namespace ``verify``.

    :cvar VERIFY_PROTOCOLS: the verification's protocol, where its name is another one.
    """

    VERIFY_PROTOCOLS: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def with_children(cls, protocol: str, inputs: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Add those of the verification's protocol of the same name."""
        verify = VerifyWorkChain.get_protocol_inputs(cls.VERIFY_PROTOCOLS.get(protocol, protocol))
        return {"verify": verify, **super().with_children(protocol, inputs, overrides)}


class VerifiedWorkChain(VerifiedProtocolMixin, CrucibleWorkChain):
    """A WorkChain that starts with the verification of its model.

    :cvar NECESSARY_JOBS: those of ``JOBS`` without which there is nothing to run; all of them where it does not say.
    """

    NECESSARY_JOBS: ClassVar[tuple[str, ...] | None] = None

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare what all of them take."""
        super().define(spec)
        model_inputs(spec)
        spec.input_nodes(
            Dict,
            required=False,
            verification="`results` of a verification of this model with this code; no other one is run then.",
        )
        spec.expose_child(
            VerifyWorkChain,
            "verify",
            "How to verify the model first, and whether to go on if it fails (`on_failure`), see `crucible.verify`; a "
            "verification that was made before is found again.",
            exclude=("code", "model"),
        )
        spec.output_nodes(Dict, verification="`results` of the verification, its faults included.")
        spec.exit_code(330, "ERROR_VERIFICATION_FAILED", message="the model is not believed: {detail}")
        spec.exit_code(331, "ERROR_CAPABILITY_MISSING", message="the model lacks what is asked of it: {detail}")
        spec.exit_code(333, "ERROR_VERIFICATION_UNFINISHED", message="the model could not be verified: {detail}")

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any]) -> None:
        """Check inputs against each other.

        :raises ValueError: one line for the user.
        """
        jobs = cls.JOBS if cls.NECESSARY_JOBS is None else cls.NECESSARY_JOBS
        check_fit(inputs, cls.symbols_by_input(inputs), jobs)
        if "verification" in inputs and "model" in inputs:
            check_verification(inputs["verification"].get_dict(), inputs["model"])

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure given, by the name that a message should call it."""
        return validation.symbols_of(inputs.get("structures"))

    def verify(self) -> ToContext | None:
        """Verify the model, unless that was done already."""
        if "verification" in self.inputs:
            return None
        inputs = self.exposed_inputs(VerifyWorkChain, "verify", agglomerate=False)
        return ToContext(
            verifying=self.submit(VerifyWorkChain, code=self.inputs.code, model=self.inputs.model, **inputs)
        )

    def submit_verified(self, chain: Any, namespace: str, structure: StructureData) -> ProcessNode:
        """Run a WorkChain on a crystal with the same model, which is not verified again.

        :param namespace: of the inputs that say how.
        """
        inputs = AttributeDict(self.exposed_inputs(chain, namespace, agglomerate=False))
        inputs.update(code=self.inputs.code, model=self.inputs.model, structure=structure)
        return self.submit(chain, **inputs, verification=self.ctx.verification)

    def inspect_verification(self) -> ExitCode | None:
        """Stop with the finding, or go on with it where the user says so."""
        if "verifying" in self.ctx and not self.ctx.verifying.is_finished_ok:
            found_faults = "results" in self.ctx.verifying.outputs
            label = "ERROR_VERIFICATION_FAILED" if found_faults else "ERROR_VERIFICATION_UNFINISHED"
            return self.failure(label, message_of(self.ctx.verifying))
        given = self.inputs.get("verification")
        self.ctx.verification = given or self.ctx.verifying.outputs.results
        self.out("verification", self.ctx.verification)
        jobs = self.JOBS if self.NECESSARY_JOBS is None else self.NECESSARY_JOBS
        try:
            require_capability(self.inputs.code, self.inputs.model, needs_of(self.inputs, jobs), self.ctx.verification)
        except ValueError as error:
            return self.failure("ERROR_CAPABILITY_MISSING", str(error))
        return None


def check_verification(results: Mapping[str, Any], model: ModelData) -> None:
    """Refuse what are no results of a verification of the model.

    :raises ValueError: one line.
    """
    if results.get("task") != "verify" or results.get("outcome") not in ("passed", "failed"):
        raise ValueError("verification holds no results of one: give the output `results` of `crucible.verify`")
    verified = results["model"]
    if verified["family"] != model.family or model.sha256 not in (None, verified["sha256"]):
        raise ValueError(
            f"verification is of {verified['family']} {verified['name'] or verified['sha256']}, but the model is "
            f"{model.title}: give its own, or none"
        )
