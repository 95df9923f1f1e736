"""A damaged file of the engine gives the right numbers or none, and always a named failure."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_crucible.calculations.exit_codes import ARRAYS_UNREADABLE
from aiida_crucible.calculations.output_files import OutputError, properties_of, read_arrays, split_properties


@pytest.fixture
def arrays():
    rng = np.random.default_rng(3)
    return {"energies": rng.normal(size=3), "forces": rng.normal(size=(6, 3)), "n_atoms": np.array([2, 2, 2])}


def damaged(good):
    yield from (good[:cut] for cut in range(0, len(good), 17))
    for position in range(0, len(good), 3):
        yield good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :]


def test_damaged_arrays_never_give_a_wrong_number(arrays, tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, **arrays)
    good = path.read_bytes()
    refused = 0
    for content in damaged(good):
        path.write_bytes(content)
        try:
            found = read_arrays(path, 2**20)
        except OutputError as error:
            refused += 1
            assert error.failure is ARRAYS_UNREADABLE
        else:
            for name in set(found) & set(arrays):
                assert np.array_equal(found[name], arrays[name])
    assert refused > len(good) // 6


def test_forces_of_equal_sizes_are_an_array_of_frames(arrays):
    properties = properties_of(arrays)
    assert properties["forces"].shape == (3, 2, 3)
    assert np.array_equal(properties["forces"][1], arrays["forces"][2:4])
    properties = properties_of({**arrays, "n_atoms": np.array([1, 2, 3])})
    assert properties["forces"].shape == (6, 3)


def test_an_ensemble_counts_only_where_the_model_has_members():
    """Of a model without members such arrays were not checked: whatever they are, they are left out."""
    sizes = np.array([2, 2])
    arrays = {"energies": np.zeros(2), "forces": np.arange(12.0).reshape(4, 3), "n_atoms": sizes}
    hostile = {**arrays, "ensemble_forces": np.array(1.0), "ensemble_energies": np.zeros((7, 1))}
    assert sorted(properties_of(hostile)) == ["energies", "forces", "n_atoms"]
    assert sorted(split_properties(hostile, [1, 1])[0]) == ["energies", "forces", "n_atoms"]

    ensemble = np.arange(36.0).reshape(4, 3, 3)
    found = properties_of({**arrays, "ensemble_forces": ensemble}, n_members=3)
    assert found["ensemble_forces"].shape == (2, 3, 2, 3)
    assert np.array_equal(found["ensemble_forces"][1, 2], ensemble[2:4, 2])
    second = split_properties({**arrays, "ensemble_forces": ensemble}, [1, 1], n_members=3)[1]
    assert np.array_equal(second["ensemble_forces"], ensemble[2:4])
