"""``aiida-crucible train``: a model that fails on a material is trained on its labelled frames."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.shared.launching import launching, place
from aiida_crucible.cli.shared.options import Assignment, Number, say
from aiida_crucible.cli.shared.tables import print_part, print_record

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import ProcessNode

    from aiida_crucible.nodes.training.dataset import DatasetData

EXAMPLES = """\b
Examples:
  aiida-crucible train chgnet --data dft.extxyz --theory PBEsol --energy-shift distributed
  aiida-crucible train chgnet --data 1234 --method frozen --epochs 20 --submit
"""


def show_training(node: ProcessNode) -> None:
    """Print what a training has brought."""
    summary = node.outputs.summary.get_dict()
    trained = node.outputs.trained if "trained" in node.outputs else None
    print_record(
        [
            ("outcome", summary["outcome"]),
            ("", summary["reason"]),
            ("trained model", None if trained is None else f"PK {trained.pk} ({trained.label})"),
            ("sha256", summary["weights"]),
            ("epochs", f"{summary['epochs_done']}, the best is {summary['best_epoch']}"),
            ("time", f"{summary['seconds']:.0f} s"),
            ("energies", summary["labels"]["energy_shift"]["how"]),
        ]
    )
    print_part(("side", "error", "before", "after", "unit"), _rows(summary["errors"]))
    for warning in summary["warnings"]:
        say(f"Warning: {warning}")


def _rows(errors: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    from aiida_crucible.analysis.datasets.training_summary import SHOWN
    from crucible_engine.tasks.train.errors import ERROR

    rows = []
    for side, before in errors["before"].items():
        for name, (factor, unit) in SHOWN.items():
            values = [each.get(name, {}).get(ERROR) for each in (before, errors["after"].get(side, {}))]
            shown = ["" if value is None else f"{value * factor:.4g}" for value in values]
            if any(shown):
                rows.append((side, name, *shown, unit))
    return rows


@click.command(short_help="Train a model on labelled frames.", epilog=EXAMPLES)
@click.argument("model", metavar="MODEL")
@click.option("--data", multiple=True, required=True, metavar="FILE|PK", help="Labelled frames; may be repeated.")
@click.option("--theory", metavar="TEXT", help="Level of theory of files, e.g. PBEsol.")
@click.option("--data-setting", "data_settings", type=Assignment("stress_unit=GPa"), multiple=True, help="Of files.")
@click.option("--method", type=click.Choice(["full", "frozen", "scratch"]), help="What is trained; full if left out.")
@click.option("--epochs", type=Number(int, 1, "20"), metavar="N", help="The protocol's if left out.")
@click.option("--learning-rate", type=Number(float, 0, "1e-3"), metavar="X", help="The family's if left out.")
@click.option("--batch-size", type=Number(int, 1, "4"), metavar="N", help="The family's if left out.")
@click.option("--patience", type=Number(int, 1, "20"), metavar="N", help="Epochs without a better validation.")
@click.option("--ema", type=Number(float, 0, "0.99"), metavar="X", help="Decay of averaged weights.")
@click.option("--seed", type=Number(int, 0, "1"), metavar="N", help="Of the order of frames; 0.")
@click.option("--energy-shift", type=click.Choice(["per-element", "distributed", "none"]), help="Of the labels.")
@click.option(
    "-s", "--setting", "settings", type=Assignment("loss=huber"), multiple=True, help="Any other, loss=huber."
)
@functools.partial(launching, show=show_training)
def train(
    model: str,
    *,
    data: tuple[str, ...],
    theory: str | None,
    data_settings: tuple[tuple[str, Any], ...],
    energy_shift: str | None,
    settings: tuple[tuple[str, Any], ...],
    **given: Any,
) -> ProcessBuilder:
    """Train MODEL on labelled frames, and tell its errors before and after.

    Frames are files, which are imported as a dataset, or the PK of one. What comes out is a new model, of which
    `aiida-crucible model show` tells what it was made of.
    """
    from aiida_crucible.calculations.train.calculation import check_method
    from aiida_crucible.workflows.common.protocols import merged
    from aiida_crucible.workflows.train.workchain import TrainWorkChain

    names = ("method", "epochs", "learning_rate", "batch_size", "patience", "ema", "seed")
    chosen = {name: value for name in names if (value := given.pop(name)) is not None} | dict(settings)
    changes: dict[str, Any] = {"train": {"train": {"parameters": chosen}}} if chosen else {}
    if energy_shift is not None:
        changes["parameters"] = {"energy_shift": energy_shift}
    given["overrides"] = merged(changes, given["overrides"])
    code, node = place(model, given)
    # Before anything is imported.
    check_method(node, given["overrides"].get("train", {}).get("train", {}).get("parameters", {}))
    given["options"] = given["options"] or None
    dataset = _dataset(data, theory, dict(data_settings))
    return TrainWorkChain.get_builder_from_protocol(code, node, dataset, **given)


def _dataset(data: tuple[str, ...], theory: str | None, settings: dict[str, Any]) -> DatasetData:
    """Return the dataset that is named, or what is imported of files and nodes."""
    from aiida_crucible.datasets.from_files import find_dataset, import_dataset
    from aiida_crucible.nodes.file_digest import is_file, is_folder

    if len(data) == 1 and not is_file(Path(data[0])) and not is_folder(Path(data[0])) and theory is None:
        return find_dataset(data[0])
    if theory is not None:
        settings["theory"] = theory
    made = import_dataset(list(data), **settings)
    say(f"Imported {made.title} as dataset PK {made.pk}")
    return made
