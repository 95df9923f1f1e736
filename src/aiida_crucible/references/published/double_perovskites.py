"""The benchmark on halide double perovskites: its confusion matrices (doi 10.1039/d5cp04693a)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

from aiida_crucible.analysis.benchmark.stability_classes import CLASSES, Confusion
from crucible_engine.wire.rules import suggestion


def source() -> str:
    """Return the publication's doi."""
    return str(_content()["source"])


def models(force_constants: str) -> list[str]:
    """Return the models that a confusion matrix was published for.

    :param force_constants: see :func:`published_confusion`.
    :raises ValueError: one line, if there is no such choice of force constants.
    """
    return list(_matrices(force_constants))


def published_confusion(model: str, force_constants: str) -> Confusion:
    """Return how many materials of each class by DFT a model put into each class, at 300 K.

    :param model: ``omat-0-medium``, for instance.
    :param force_constants: ``reference`` (DFT's) or ``model`` (its own).
    :raises ValueError: one line, if there is no such model or choice of force constants.
    """
    matrices = _matrices(force_constants)
    if model not in matrices:
        raise ValueError(f"there is no published confusion matrix of {model!r}: {suggestion(model, list(matrices))}")
    return Confusion.decided(CLASSES, np.array(matrices[model]))


def published_shares() -> dict[str, float]:
    """Return the shares that the publication's text gives for omat-0-medium alone, ``too_stable``, ``too_unstable``."""
    return dict(_content()["omat_0_medium_alone"])


def _matrices(force_constants: str) -> dict[str, list[list[int]]]:
    by_choice: dict[str, dict[str, list[list[int]]]] = _content()["confusion_matrices"]
    key = f"{force_constants}_force_constants"
    if key not in by_choice:
        raise ValueError(
            f"there are no published matrices with {force_constants!r} force constants: reference or model"
        )
    return by_choice[key]


@cache
def _content() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("double_perovskites.yaml").read_text("utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content
