"""A model as the command line shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_crucible.cli.shared.tables import print_record

if TYPE_CHECKING:
    from aiida_crucible.nodes.model import ModelData

ENSEMBLE_SIZE = "crucible_ensemble_size"
"""The extra with how many members the ensemble of a checkpoint has, where the engine loaded it and told."""


def print_model(node: ModelData) -> None:
    """Print all that is known of a model."""
    rows: list[tuple[str, object]] = [
        ("model", node.title),
        ("PK", node.pk),
        ("UUID", node.uuid),
        ("label", node.label),
        ("sha256", node.sha256),
        ("dtype", node.dtype),
        ("settings", settings_of(node)),
        ("theory", theory_of(node.functional, node.hubbard_u, node.dispersion)),
        ("training set", node.training_set),
        ("licence", node.licence),
        ("reference", node.base.attributes.get("reference", None)),
        ("elements", " ".join(node.elements) if node.elements else None),
        ("ensemble", _ensemble_of(node)),
    ]
    if node.is_checkpoint:
        where = f"{node.checkpoint_path} on {node.computer.label}" if node.checkpoint_path else "in the node"
        rows += [("checkpoint", where), ("may be unpickled", "yes" if node.trusted else "no")]
    if node.runs_code:
        rows.append(("may run its code", "yes" if node.trusted else "no"))
    print_record([*rows, *_ancestry(node)])


def _ancestry(node: ModelData) -> list[tuple[str, object]]:
    """Return what a trained potential was made of, one training after the other, the last one first."""
    from aiida_crucible.nodes.training.ancestry import ancestry_of
    from crucible_engine.tasks.train.errors import ERROR

    rows: list[tuple[str, object]] = []
    for training in ancestry_of(node):
        told, parent, dataset = training.results["summary"], training.parent, training.dataset
        side = "test" if "test" in told["errors"] else "validation"
        force = told["errors"][side]["force"][ERROR]
        digest = f", sha256 {parent.sha256[:12]}…" if parent.sha256 else ""
        rows += [
            ("trained from", f"{parent.title} (PK {parent.pk}{digest})"),
            ("on", f"{dataset.title} (dataset PK {dataset.pk})"),
            (
                "by",
                f"method {training.method}, {told['epochs_done']} epochs, the best is {told['best_epoch']}, seed "
                f"{told['settings']['seed']} (job PK {training.job.pk})",
            ),
            ("error", None if force is None else f"{1000 * force:.4g} meV/Å of forces of the {side}"),
        ]
    return rows


def settings_of(node: ModelData) -> str:
    """Return the settings that change a model's answers."""
    return ", ".join(f"{key}={value}" for key, value in node.settings.items())


def _ensemble_of(node: ModelData) -> str | None:
    """Return what is known of the ensemble of weights; nothing of a committee, whose files are its members."""
    from crucible_engine.families.facts import ENSEMBLE
    from crucible_engine.families.registry import FAMILIES

    family = FAMILIES.get(node.family)
    named = family.names.get(str(node.name)) if family else None
    size = node.base.extras.get(ENSEMBLE_SIZE, None)
    if asked := node.settings.get(ENSEMBLE):
        return f"{asked} members say their own"
    if size or (named and named.ensemble):
        return f"{f'{size} members' if size else 'yes'}: the setting {ENSEMBLE} asks for a number of them"
    return "none" if named and named.ensemble is False else None


def theory_of(functional: str | None, hubbard_u: bool | None, dispersion: bool | None) -> str | None:
    """Return a level of theory in short; ``None`` where nobody says."""
    if functional is None:
        return None
    with_u = {True: "+U", False: "", None: " (U unknown)"}[hubbard_u]
    return f"{functional}{with_u}{' with dispersion' if dispersion else ''}"
