"""The verdict on a model and a material, with provenance."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Dict, StructureData

from aiida_crucible.analysis.anharmonicity.combinations import OWN
from aiida_crucible.analysis.crystal.cells import lattice_parameters
from aiida_crucible.analysis.verdict.expectations import Expectations
from aiida_crucible.analysis.verdict.headline import Anharmonicity, Subject, conclude
from aiida_crucible.analysis.verdict.judgements import judge
from aiida_crucible.analysis.verdict.reliability import MAIN, assess, validate_thresholds
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import to_atoms
from aiida_crucible.workflows.relax.calcfunctions import SYMMETRY_TOLERANCE

NUMERICS = 4
"""AiiDA's cache follows the text of this file: raise it whenever a number of the analysis behind it could change."""


@calcfunction
def assess_reliability(
    relaxation: Dict,
    thresholds: Dict,
    verification: Dict,
    *,
    phonons: Dict | None = None,
    reference: Dict | None = None,
    sweep: Dict | None = None,
) -> Dict:
    """Return the answers to the questions; see :func:`aiida_crucible.analysis.verdict.reliability.assess`."""
    answers = assess(
        verification.get_dict(),
        relaxation.get_dict(),
        None if phonons is None else phonons.get_dict(),
        None if reference is None else reference.get_dict(),
        validate_thresholds(thresholds.get_dict()),
        sweep=None if sweep is None else sweep.get_dict(),
    )
    return Dict(answers)


COMPARED = ("a", "b", "c", "alpha", "beta", "gamma")
"""Of the cell that was given, what the relaxed one should be near to."""


@calcfunction
def judge_model(
    structure: StructureData,
    model: ModelData,
    summary: Dict,
    relaxation: Dict,
    *,
    reference: Dict | None = None,
    anharmonicity: Dict | None = None,
    supercell: StructureData | None = None,
) -> Dict:
    """Return the verdict on the model: whether it is right about this crystal, as far as that is known.

    :param structure: the crystal that was given; its cell is taken for that of an experiment.
    :param summary: of :func:`assess_reliability`.
    :param relaxation: ``summary`` of ``crucible.relax`` for all phases.
    :param reference: see :func:`aiida_crucible.analysis.verdict.reliability.check_reference`.
    :param anharmonicity: ``summary`` of ``crucible.anharmonicity`` for the hot runs.
    :param supercell: of the hot runs.
    :return: ``trusted`` (yes, no, cannot-tell), ``headline``, ``up_to`` (K), ``duration`` (ps), ``steps`` (what it
        would take), ``questions`` (by short name: judgement, expected, text, steps), ``anharmonicity`` (σ).
    """
    answers, main = summary.get_dict(), relaxation.get_dict()["structures"][MAIN]
    atoms = to_atoms(structure)
    given = lattice_parameters(atoms, SYMMETRY_TOLERANCE)
    group = main.get("space_group_before") or {}
    known = Expectations.of({} if reference is None else reference.get_dict())
    known = known.completed(set(atoms.get_chemical_symbols()), group.get("number"))
    n_atoms = None if supercell is None else len(supercell.sites)
    judged = judge(answers, main, known, {name: given[name] for name in COMPARED}, n_atoms)
    scores = [] if anharmonicity is None else _own_scores(anharmonicity.get_dict())
    symbol = group.get("symbol")
    crystal = atoms.get_chemical_formula("metal", empirical=True) + (f" ({symbol})" if symbol else "")
    hot = answers.get("finite_temperature")
    verdict = conclude(Subject(model.title, crystal), judged, None if hot is None else hot["evidence"], scores)
    return Dict(
        {
            **verdict.as_dict(),
            "questions": {name: asdict(each) for name, each in judged.items()},
            "anharmonicity": [asdict(score) for score in scores],
        }
    )


def _own_scores(summary: dict[str, Any]) -> list[Anharmonicity]:
    """Return the scores of the model's own runs with its own force constants, ascending in temperature."""
    found = [
        Anharmonicity(each["temperature"], each["sigma"], each["class"])
        for each in summary["scores"].values()
        if each["frames"] == OWN and each["constants"] == OWN and each["temperature"] is not None
    ]
    return sorted(found, key=lambda score: score.temperature)
