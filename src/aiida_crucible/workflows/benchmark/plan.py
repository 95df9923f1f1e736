"""What a benchmark is asked for, read from its inputs: settings, sizes of batches, rows and how they are found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from aiida.orm import AbstractCode, Data, Dict, QueryBuilder, StructureData, TrajectoryData

from aiida_crucible.analysis.anharmonicity.combinations import why_no_score
from aiida_crucible.analysis.benchmark.settings import validate_benchmark_parameters
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.verifications import place_of
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.benchmark import batch_calcfunctions as benchmark_batches
from aiida_crucible.workflows.benchmark import material_calcfunctions as benchmark_materials
from aiida_crucible.workflows.benchmark.inputs import REFERENCE, parse_protocols
from aiida_crucible.workflows.benchmark.material_calcfunctions import regroup_row
from aiida_crucible.workflows.benchmark.stages import NAMES
from aiida_crucible.workflows.common.concurrency import Share, choose_share
from crucible_engine.wire.schema import PROTOCOL

ANIONS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se", "C", "Te", "P", "As", "Sb", "H")
"""Non-metals by falling electronegativity (Pauling): the first that a material has is its group."""
NO_ANION = "metal"

MOST_QUEUED = 16
"""Batches that wait for a scheduler at once where nobody says how many: each takes several slots of AiiDA's daemon."""


class Plan:
    """What a benchmark is asked for.

    :param inputs: of the benchmark.
    :param references: by material, what there is of its reference.
    :param reference_missing: by material, what its row says of a reference that was to be made and is not all there.
    """

    def __init__(
        self,
        inputs: Any,
        references: Mapping[str, Mapping[str, Data]],
        reference_missing: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._inputs, self._references, self._reference_missing = inputs, references, reference_missing

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """How materials are packed, complete."""
        return validate_benchmark_parameters(self._inputs.parameters.get_dict())

    @cached_property
    def protocols(self) -> dict[str, dict[str, Any]]:
        """The settings of each protocol, complete."""
        return parse_protocols(self._inputs.protocols.get_dict())

    @property
    def models(self) -> list[str]:
        """Labels of the models, that of the reference's last."""
        return [*sorted(self._inputs.models), *([REFERENCE] if self._inputs.get("reference_model") else [])]

    def model(self, label: str) -> tuple[AbstractCode, ModelData]:
        """Return the environment of a model, and which potential it is."""
        if label == REFERENCE:
            return self._inputs.reference_model.code, self._inputs.reference_model.model
        return self._inputs.codes[label], self._inputs.models[label]

    def settings(self, protocol: str) -> dict[str, Any]:
        """Return the settings of a protocol, or those that the reference is made by."""
        if protocol == REFERENCE:
            return dict(self._inputs.reference_model.settings.get_dict())
        return self.protocols[protocol]

    def group(self, material: str) -> str:
        """Return the group of a material."""
        given = self._inputs.groups.get(material, None) if "groups" in self._inputs else None
        return given or group_of(self._inputs.structures[material])

    def identities(self, model: str, protocol: str, materials: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what tells the rows of some materials from others, see :data:`benchmark_rows.IDENTITY`."""
        settings, (code, potential) = self.settings(protocol), self.model(model)
        digest_of = row_digest(settings, code, potential)
        found = {}
        for material in materials:
            structure = self._inputs.structures[material]
            names = {"material": material, "formula": structure.get_formula(), "model": model, "protocol": protocol}
            reference = {} if model == REFERENCE else self._references.get(material, {})
            nodes = {"material": structure, **{f"reference_{name}": node for name, node in reference.items()}}
            missing = {} if model == REFERENCE else self._reference_missing.get(material, {})
            digest = digest_of({**names, "has_reference": not missing}, nodes)
            found[material] = {**names, "group": self.group(material), "digest": digest, **missing}
        return found

    def unknown_elements(self, model: str, material: str) -> str | None:
        """Return which elements of a material a model does not know, in one line; ``None`` where it knows all."""
        symbols = {material: self._inputs.structures[material].get_symbols_set()}
        try:
            validation.check_elements(self.model(model)[1], symbols)
        except ValueError as error:
            return str(error)
        return None

    def batch_size(self, model: str, n_materials: int) -> int:
        """Return how many materials a batch has: what is run side by side is to get as many each.

        Where nobody says how many batches a scheduler is to have at once, each is as large as it may be.
        """
        most: int = self.parameters["materials_per_batch"]
        if self._is_queued(model) and self.parameters["max_concurrent"] is None:
            return most
        at_once = self.share(model, n_materials).at_once
        n_waves = -(-n_materials // (most * at_once))
        return -(-n_materials // (n_waves * at_once))

    def share(self, model: str, n_batches: int) -> Share:
        """Return how many batches of a model go at once, and with how many cores."""
        code, _ = self.model(model)
        wanted = self.parameters["max_concurrent"]
        if wanted is None and self._is_queued(model):
            wanted = MOST_QUEUED
        return choose_share(code, self._inputs.base.dynamics, n_batches, wanted)

    def _is_queued(self, model: str) -> bool:
        return bool(self.model(model)[0].computer.scheduler_type != "core.direct")


def given_references(inputs: Any) -> dict[str, dict[str, Data]]:
    """Return what was given of each material's reference.

    :param inputs: of the benchmark.
    """
    found: dict[str, dict[str, Data]] = {}
    for name, plural in NAMES.items():
        for label, node in ((inputs.get("references") or {}).get(plural) or {}).items():
            found.setdefault(label, {})[name] = node
    return found


def group_of(structure: StructureData) -> str:
    """Return the group that a material belongs to where nobody says: its most electronegative non-metal."""
    symbols = structure.get_symbols_set()
    return next((symbol for symbol in ANIONS if symbol in symbols), NO_ANION)


def row_digest(
    settings: Mapping[str, Any], code: AbstractCode, model: ModelData
) -> Callable[[Mapping[str, Any], Mapping[str, Data]], str]:
    """Return what gives the digest of all that a row follows from, by which a finished one is found again.

    Of a row it takes its labels and whether its reference is all there; and the material and what there is of its
    reference.

    :param settings: complete.
    :param code: the environment.
    :param model: which potential.
    """
    shared = {
        "settings": settings,
        "environment": [*place_of(code), *(validation.promised_package(code, model.family) or ())],
        "model": model.base.caching.compute_hash(),
        "protocol": PROTOCOL,
        "numerics": [benchmark_batches.NUMERICS, benchmark_materials.NUMERICS],
    }

    def digest(names: Mapping[str, Any], nodes: Mapping[str, Data]) -> str:
        hashes = {
            name: node.base.caching.get_hash() or node.base.caching.compute_hash() for name, node in nodes.items()
        }
        content = {**shared, "names": dict(names), "nodes": hashes}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    return digest


def find_rows(digests: Mapping[str, str]) -> dict[str, Dict]:
    """Return the rows that were finished before, by the keys of their digests; jobs that failed are to be tried again.

    The newest of each as it was measured, not as it was regrouped: its creator's inputs are what it follows from.

    :param digests: by any key.
    """
    query = QueryBuilder().append(
        Dict,
        filters={"attributes": {"has_key": "unfinished"}, "attributes.digest": {"in": sorted(set(digests.values()))}},
        project="*",
    )
    query.order_by({Dict: {"ctime": "asc"}})
    found = {
        row["digest"]: row
        for row in query.all(flat=True)
        if not row["unfinished"] and row.creator is not None and row.creator.process_label != regroup_row.__name__
    }
    return {key: found[digest] for key, digest in digests.items() if digest in found}


def reference_made(row: Dict) -> dict[str, Data]:
    """Return crystal, force constants and frames that a row was measured with; a run that lost its crystal is none."""
    inputs, outputs = row.creator.inputs, row.creator.outputs
    kept = why_no_score(row["runs"], None) is None
    runs = sorted(label for label in inputs if kept and isinstance(inputs[label], TrajectoryData))
    found: dict[str, Data] = {"trajectory": inputs[runs[0]]} if runs else {}
    if "force_constants" in outputs:
        found |= {"structure": inputs["structure"], "force_constants": outputs["force_constants"]}
    return found
