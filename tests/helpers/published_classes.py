"""Confusion matrices of the benchmark on halide double perovskites, as they were published (doi 10.1039/d5cp04693a)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from aiida_crucible.analysis.benchmark.stability_classes import CLASSES, Confusion

FILE = Path(__file__).parents[1] / "data" / "published_double_perovskites.yaml"


def source() -> str:
    """Return the publication's doi."""
    return str(_content()["source"])


def models(force_constants: str) -> list[str]:
    """Return the models with a matrix for force constants of the ``reference`` (DFT) or of the ``model``."""
    return list(_content()["confusion_matrices"][f"{force_constants}_force_constants"])


def published_confusion(model: str, force_constants: str) -> Confusion:
    """Return how many materials of each class by DFT a model put into each class, at 300 K; see :func:`models`."""
    matrices = _content()["confusion_matrices"][f"{force_constants}_force_constants"]
    return Confusion.decided(CLASSES, np.array(matrices[model]))


def published_shares() -> dict[str, float]:
    """Return the shares that the publication's text gives for omat-0-medium alone, ``too_stable``, ``too_unstable``."""
    return dict(_content()["omat_0_medium_alone"])


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return content
