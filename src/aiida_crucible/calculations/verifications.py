"""Which verifications there are of a model in an environment, and what they say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida.orm import AbstractCode, CalcJobNode, Dict, QueryBuilder, StructureData

from aiida_crucible.calculations import validation
from aiida_crucible.nodes.model import ModelData
from crucible_engine.tasks.parameters import lack_of_stress, validate_parameters
from crucible_engine.wire.schema import PROTOCOL

PROCESS_TYPE = "aiida.calculations:crucible.verify"
"""Of the verification's jobs, as their nodes have it."""


def find_verification(
    code: AbstractCode,
    model: ModelData,
    parameters: Mapping[str, Any] | None = None,
    structures: Mapping[str, StructureData] | None = None,
    device: str = "auto",
) -> CalcJobNode | None:
    """Return the latest finished verification of a model in an environment; ``None`` if there is none.

    :param code: the environment: this code, or another one that is the same file on the same computer.
    :param model: which potential.
    :param parameters: what it was verified with; the defaults if ``None``.
    :param structures: what it was verified on, at least.
    :param device: what was asked for.
    """
    wanted = validate_parameters("verify", dict(parameters or {}))
    needed = {structure.uuid for structure in (structures or {}).values()}
    for job in _verifications(model):
        given = {node.uuid for node in job.inputs.structures.values()} if "structures" in job.inputs else set()
        if (
            needed <= given
            and _is_what_runs(job, model, code)
            and validate_parameters("verify", job.inputs.parameters.get_dict()) == wanted
            and job.get_option("device") == device
            and _is_same_environment(job, code)
        ):
            return job
    return None


def digest_of(code: AbstractCode, model: ModelData) -> str | None:
    """Return the digest that a job of a model has to find: that of its node, else of its latest verification.

    :param code: the environment.
    :param model: which potential.
    """
    if model.sha256 is not None:
        return model.sha256
    verified = _latest(code, model)
    return None if verified is None else str(verified.outputs.results.get_dict()["model"]["sha256"])


def require_capability(
    code: AbstractCode, model: ModelData, needs: Sequence[str], verification: Dict | None = None
) -> None:
    """Refuse what needs stresses of a model that had none when it was verified.

    :param code: the environment.
    :param model: which potential.
    :param needs: what needs them, in words.
    :param verification: `results` of a verification; the latest one of the model in the environment if ``None``.
    :raises ValueError: one line.
    """
    if needs and has_no_stress(code, model, verification):
        raise ValueError(lack_of_stress(f"model {model.title}", needs[0]))


def has_no_stress(code: AbstractCode, model: ModelData, verification: Dict | None = None) -> bool:
    """Return whether a model had no stress when it was verified; arguments as of :func:`require_capability`."""
    return lacks("stress", code, model, verification)


def lacks(capability: str, code: AbstractCode, model: ModelData, verification: Dict | None = None) -> bool:
    """Return whether a model was found to lack something when it was verified; what nobody found out, it does not.

    :param capability: a key of ``capabilities`` in :mod:`crucible_engine.tasks.verify.run`.
    :param code: the environment.
    :param model: which potential.
    :param verification: `results` of a verification; the latest one of the model in the environment if ``None``.
    """
    if verification is None:
        latest = _latest(code, model)
        verification = None if latest is None else latest.outputs.results
    summary = {} if verification is None else verification.get_dict().get("summary", {})
    return isinstance(summary, Mapping) and summary.get("capabilities", {}).get(capability) is False


def _latest(code: AbstractCode, model: ModelData) -> CalcJobNode | None:
    """Return the latest finished verification of a model in an environment, whatever it was made with."""
    return next((job for job in _verifications(model) if _is_same_environment(job, code)), None)


def _verifications(model: ModelData) -> Iterator[CalcJobNode]:
    """Yield the finished verifications of a model, the latest first."""
    query = QueryBuilder().append(ModelData, filters={"uuid": model.uuid}, tag="model")
    finished = {"attributes.process_state": "finished", "attributes.exit_status": 0}
    process_type = {"process_type": PROCESS_TYPE}
    query.append(CalcJobNode, with_incoming="model", filters={**finished, **process_type}, tag="job", project="*")
    query.order_by({"job": {"ctime": "desc"}})
    yield from query.all(flat=True)


def _is_what_runs(verification: CalcJobNode, model: ModelData, code: AbstractCode) -> bool:
    """Tell whether no later job of the model in the environment loaded something else than what was verified."""
    sha256 = verification.outputs.results.get_dict()["model"]["sha256"]
    query = QueryBuilder().append(ModelData, filters={"uuid": model.uuid}, tag="model")
    later = {"ctime": {">": verification.ctime}}
    query.append(CalcJobNode, with_incoming="model", filters=later, tag="job", project="*")
    other = {"attributes.model.sha256": {"and": [{"of_type": "string"}, {"!==": sha256}]}}
    query.append(Dict, with_incoming="job", edge_filters={"label": "results"}, filters=other)
    return not any(place_of(job.inputs.code) == place_of(code) for job in query.all(flat=True))


def _is_same_environment(job: CalcJobNode, code: AbstractCode) -> bool:
    """Tell whether a job ran this engine in the environment of a code, as it is now."""
    results, other = job.outputs.results.get_dict(), job.inputs.code
    if results["protocol"] != PROTOCOL:
        return False
    promised = validation.promised_package(code, job.inputs.model.family)
    if promised is not None and results["environment"]["packages"].get(promised[0]) != promised[1]:
        return False
    return bool(other.uuid == code.uuid) or place_of(other) == place_of(code)


def place_of(code: AbstractCode) -> tuple[str, str, str]:
    """Return what tells one environment from another; the path's last folders carry the digest of its lock."""
    image = str(code.base.attributes.get("image_name", ""))
    return code.computer.uuid, str(code.get_executable()), image
