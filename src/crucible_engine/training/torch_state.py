"""The state of a training as JSON and arrays, and back: tensors in nested dicts and lists, without a pickle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

TENSOR, PAIRS, NUMBER = "tensor", "pairs", "number"
"""What stands for a tensor: the name of its array. What stands for a dict whose keys are no words. What stands for a
number that JSON does not have."""


def flattened(tree: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a tree as what JSON can hold, under ``tree``, and its tensors as arrays.

    :raises TypeError: if it holds something else than tensors, numbers, words, ``None``, dicts and lists.
    """
    arrays: dict[str, NDArray[Any]] = {}
    return {"tree": _plain(tree, arrays)}, arrays


def restored(scalars: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Any:
    """Return the tree that :func:`flattened` was given; tuples have become lists.

    :raises ValueError: one line, if it is none.
    """
    try:
        return _tree(scalars["tree"], arrays)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"it is no state of a training ({error})") from error


def _plain(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, torch.Tensor):
        name = f"tensor_{len(arrays)}"
        arrays[name] = value.detach().cpu().numpy()
        return {TENSOR: name}
    if isinstance(value, dict):
        return {PAIRS: [[_plain(key, arrays), _plain(item, arrays)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(item, arrays) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {NUMBER: repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__} is no part of a state that could be kept")


def _tree(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_tree(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if TENSOR in value:
        return torch.from_numpy(np.array(arrays[value[TENSOR]]))
    if NUMBER in value:
        return float(value[NUMBER])
    return {_tree(key, arrays): _tree(item, arrays) for key, item in value[PAIRS]}
