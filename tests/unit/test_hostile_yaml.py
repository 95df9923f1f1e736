"""YAML from elsewhere: no code of it runs, and little text stays little."""

from __future__ import annotations

import gzip

import pytest

from aiida_crucible.references.phonopy.files import read_phonons
from aiida_crucible.references.plain_yaml import read_yaml
from aiida_crucible.references.settings import validate_phonons
from aiida_crucible.references.values import read_values

NACL = """
unit_cell:
  lattice: [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]
  points:
  - {symbol: Cs, coordinates: [0, 0, 0]}
  - {symbol: Cl, coordinates: [0.5, 0.5, 0.5]}
supercell_matrix: %s
force_constants: {shape: [1, 1], elements: [0, 0, 0, 0, 0, 0, 0, 0, 0]}
"""


def running(marker):
    return [
        f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{marker}']]",
        f"!!python/object/apply:os.system ['touch {marker}']",
        f"!!python/object/new:os.system ['touch {marker}']",
        "!!python/name:os.system",
        "!!python/module:os",
    ]


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("place", ["phonons", "structure", "compressed", "values"])
def test_no_tag_of_python_is_followed(tmp_path, index, place):
    marker = tmp_path / "ran"
    text = f"unit_cell: {running(marker)[index]}\n"
    file, other = tmp_path / "hostile.yaml", tmp_path / "FORCE_SETS"
    file.write_text(text)
    other.write_text("1\n1\n")
    with pytest.raises(ValueError, match=r"hostile\.yaml.*could not determine a constructor for the tag") as caught:
        if place == "phonons":
            read_phonons(file, validate_phonons({}))
        elif place == "structure":
            read_phonons(other, validate_phonons({}), structure=file)
        elif place == "compressed":
            compressed = tmp_path / "hostile.yaml.gz"
            compressed.write_bytes(gzip.compress(text.encode()))
            try:
                read_yaml(compressed)
            except ValueError as error:
                raise ValueError(f"hostile.yaml {error}") from error
        else:
            read_values(file, {})
    assert not marker.exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", r"alias \*a is not read: write its value out"),
        ("[" * 100_000, "exceeded maximum nesting depth"),
        ("- " * 100_000, "exceeded maximum nesting depth"),
        ("a: " + "1:" * 100_000 + "1", "a number of 200001 digits is none"),
        ("a: " + "1:" * 1000 + "1.0", "too large"),
        ("? [1]\n: 2", "unhashable"),
        ("a: 2020-99-99", "month must be in"),
    ],
)
def test_little_text_stays_little(tmp_path, text, said):
    file = tmp_path / "values.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(file)
    assert "\n" not in str(caught.value)


def test_what_is_decompressed_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("aiida_crucible.nodes.bounds.LARGEST_TEXT", 1000)
    bomb = tmp_path / "phonopy.yaml.gz"
    bomb.write_bytes(gzip.compress(b"#" * 1001))
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        read_yaml(bomb)


@pytest.mark.parametrize("matrix", ["[[100000, 0, 0], [0, 100000, 0], [0, 0, 100000]]", "[[.nan, 0, 0], [0, 1, 0]]"])
def test_a_supercell_beyond_any_memory_is_refused(tmp_path, matrix):
    file = tmp_path / "phonopy.yaml"
    file.write_text(NACL % matrix)
    with pytest.raises(ValueError, match=r"phonopy\.yaml cannot be read: ") as caught:
        read_phonons(file, validate_phonons({}))
    assert "\n" not in str(caught.value)


def test_plain_yaml_is_read_as_before(tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text("lattice: {a: 3.9, c: 4.15}  # measured & checked * twice\nsource: 'R&D *'\n")
    assert read_yaml(file) == {"lattice": {"a": 3.9, "c": 4.15}, "source": "R&D *"}
