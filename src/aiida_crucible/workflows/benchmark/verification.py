"""The first step of a benchmark: each model is verified in its environment."""

from __future__ import annotations

from aiida.common import AttributeDict
from aiida.engine import ToContext

from aiida_crucible.workflows.benchmark.plan import Plan
from aiida_crucible.workflows.common.verified import VerifiedProtocolMixin
from aiida_crucible.workflows.common.workchain import CrucibleWorkChain, message_of
from aiida_crucible.workflows.verify.workchain import VerifyWorkChain


class VerifiesModels(VerifiedProtocolMixin, CrucibleWorkChain):
    """A WorkChain that verifies several models first.

    In the context: ``verifications``, the results by model; ``disbelieved``, why by model.
    """

    @property
    def plan(self) -> Plan:
        """What is asked for."""
        raise NotImplementedError

    def begin_verifications(self) -> None:
        """Begin with nothing verified."""
        self.ctx.unverified = self.plan.models
        self.ctx.verifications, self.ctx.disbelieved = {}, {}

    def has_unverified(self) -> bool:
        """Return whether a model was not verified yet."""
        return bool(self.ctx.unverified)

    def verify_models(self) -> ToContext:
        """Verify as many models as go at once; what was verified in its environment before is found."""
        count = self.plan.share(self.ctx.unverified[0], len(self.ctx.unverified)).at_once
        self.ctx.verifying, self.ctx.unverified = self.ctx.unverified[:count], self.ctx.unverified[count:]
        children = {}
        for label in self.ctx.verifying:
            code, model = self.plan.model(label)
            inputs = AttributeDict(self.exposed_inputs(VerifyWorkChain, "verify", agglomerate=False))
            inputs.setdefault("metadata", AttributeDict()).call_link_label = f"verify_{label}"
            children[f"verify_{label}"] = self.submit(VerifyWorkChain, code=code, model=model, **inputs)
        return ToContext(**children)

    def inspect_verifications(self) -> None:
        """Note which models are not believed: all of their rows say so."""
        for label in self.ctx.verifying:
            child = self.ctx[f"verify_{label}"]
            if child.is_finished_ok:
                self.ctx.verifications[label] = child.outputs.results
            else:
                self.ctx.disbelieved[label] = message_of(child)
                self.report(f"{label} is not believed: {message_of(child)}")
