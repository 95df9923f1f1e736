"""Labelled frames as one node: what a model is trained on, each frame on its side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from aiida.orm import ArrayData
from numpy.typing import NDArray

from aiida_crucible.analysis.datasets.frames import OF_ATOMS, SPLITS, LabelledFrames
from crucible_engine.wire.arrays import Layout, require_layout

SIDES, BLOCKS = "sides", "blocks"

KINDS = {"numbers": "i", "n_atoms": "i", "pbc": "b", "files": "i", "places": "i", "sources": "i"}
"""Columns that hold no decimal numbers."""

SHAPES: dict[str, tuple[int, ...]] = {"positions": (3,), "forces": (3,), "cells": (3, 3), "pbc": (3,), "stresses": (6,)}
"""Of a row, where it is no single number."""


class DatasetData(ArrayData):
    """Labelled frames, one array a column of :class:`aiida_crucible.analysis.datasets.frames.LabelledFrames`.

    Beside them are ``sides`` (0 training, 1 validation, 2 test) and ``blocks`` (frames of one are on one side), [n].
    Attributes are ``sources`` (names, by their numbers), ``files`` (``name`` and ``sha256``), ``theory``,
    ``examination`` (see :func:`aiida_crucible.analysis.datasets.examination.examine`), ``split`` (its settings) and,
    where energies were shifted, ``energy_shift``.
    """

    @classmethod
    def of(
        cls,
        frames: LabelledFrames,
        sides: NDArray[np.int64],
        blocks: NDArray[np.int64],
        attributes: Mapping[str, Any],
    ) -> DatasetData:
        """Return a new, unstored node.

        :param attributes: see the class.
        """
        node = cls()
        for field in fields(LabelledFrames):
            node.set_array(field.name, getattr(frames, field.name))
        node.set_array(SIDES, sides.astype(np.int64))
        node.set_array(BLOCKS, blocks.astype(np.int64))
        node.base.attributes.set_many(dict(attributes))
        return node

    def frames(self) -> LabelledFrames:
        """Return the frames with their labels.

        :raises ValueError: one line, if a column is missing or does not fit the others, as in a node that something
            else has made.
        """
        names = [field.name for field in fields(LabelledFrames)]
        arrays = {name: self.get_array(name) for name in names if name in self.get_arraynames()}
        try:
            require_layout(arrays, {"n_atoms": Layout("i", (None,)), "numbers": Layout("i", (None,))})
            n, total = len(arrays["n_atoms"]), len(arrays["numbers"])
            if arrays["n_atoms"].min(initial=1) < 1 or int(arrays["n_atoms"].sum()) != total:
                raise ValueError("n_atoms do not add up to the atoms that there are")
            layouts = {
                name: Layout(KINDS.get(name, "f"), (total if name in OF_ATOMS else n, *SHAPES.get(name, ())))
                for name in names
            }
            require_layout(arrays, layouts)
        except ValueError as error:
            raise ValueError(f"dataset {self.pk or self.uuid} is damaged ({error}): import it again") from None
        return LabelledFrames(**arrays)

    @property
    def sides(self) -> NDArray[np.int64]:
        """The side of each frame, a number of :data:`aiida_crucible.analysis.datasets.frames.SPLITS`, shape [n]."""
        return np.asarray(self.get_array(SIDES))

    @property
    def blocks(self) -> NDArray[np.int64]:
        """The block of each frame, shape [n]."""
        return np.asarray(self.get_array(BLOCKS))

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return int(self.get_shape("n_atoms")[0])

    @property
    def sizes(self) -> list[int]:
        """How many atoms each frame has."""
        return [int(size) for size in self.get_array("n_atoms")]

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols."""
        return tuple(self.examination["elements"])

    @property
    def sources(self) -> Sequence[str]:
        """Names of the sources, by their numbers."""
        return list(self.base.attributes.get("sources"))

    @property
    def theory(self) -> str:
        """Level of theory of the labels."""
        return str(self.base.attributes.get("theory"))

    @property
    def examination(self) -> dict[str, Any]:
        """What it holds, see :func:`aiida_crucible.analysis.datasets.examination.examine`."""
        return dict(self.base.attributes.get("examination"))

    @property
    def has_stress(self) -> bool:
        """Whether a frame has a stress."""
        return bool(self.examination["has_stress"])

    @property
    def energy_shift(self) -> dict[str, Any] | None:
        """How energies were shifted to a model's zero; ``None`` where they are as they came."""
        found: dict[str, Any] | None = self.base.attributes.get("energy_shift", None)
        return found

    @property
    def title(self) -> str:
        """One line for people and messages, e.g. ``PbTiO3 (741 frames, PBEsol)``."""
        names = list(self.examination["compositions"])
        named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"{self.label or named} ({self.n_frames} frames, {self.theory})"

    def attributes_for(self, **changes: Any) -> dict[str, Any]:
        """Return the attributes of a dataset that is made of this one, some of them changed."""
        kept = {name: value for name, value in self.base.attributes.all.items() if not name.startswith("array|")}
        kept.pop("default_array_name", None)
        return {**kept, **changes}

    def count(self, side: str) -> int:
        """Return how many frames are on a side."""
        return int((self.sides == SPLITS.index(side)).sum())
