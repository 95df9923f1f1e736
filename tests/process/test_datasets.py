"""Datasets as nodes: imported from files and nodes, shown, split anew; what does not fit leaves nothing behind."""

from __future__ import annotations

import re

import numpy as np
import pytest
from aiida.common.links import LinkType
from aiida.orm import Node, QueryBuilder
from ase import units
from ase.db import connect
from ase.io import write
from click.testing import CliRunner
from labelled_frames import labelled_salt

from aiida_crucible.cli.root import main
from aiida_crucible.datasets.from_files import find_dataset, import_dataset, split_dataset
from aiida_crucible.nodes.training.dataset import DatasetData


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "salt.extxyz"
    write(path, labelled_salt(12))
    return path


@pytest.fixture(scope="module")
def dataset(profile, file):
    return import_dataset([file], theory="PBE")


def said(*words):
    result = CliRunner().invoke(main, ["dataset", *map(str, words)], catch_exceptions=False)
    return result.exit_code, result.output


def test_a_file_is_one_node_with_its_provenance(dataset, file):
    atoms = labelled_salt(12)
    frames = dataset.frames()
    assert len(frames) == dataset.n_frames == 12
    assert frames.energies == pytest.approx([each.get_potential_energy() for each in atoms])
    assert frames.forces == pytest.approx(np.concatenate([each.get_forces() for each in atoms]))
    assert frames.stresses == pytest.approx(np.array([each.get_stress() for each in atoms]))
    assert list(dataset.sources) == ["run-100K", "run-200K"]
    assert frames.temperatures.tolist() == [100.0, 200.0] * 6
    assert dataset.elements == ("Na", "Cl")
    assert dataset.has_stress
    sources = dataset.creator.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all()
    assert {each.link_label for each in sources} == {"parameters", "file_0000"}
    assert dataset.creator.process_type == "aiida.calculations:crucible.import_dataset"
    assert dataset.base.attributes.get("files")[0]["name"] == file.name


def test_the_same_file_gives_the_same_split(dataset, file):
    assert (import_dataset([file], theory="PBE").sides == dataset.sides).all()
    assert (import_dataset([file], theory="PBE", seed=8).sides != dataset.sides).any()


def test_all_formats_give_the_same_frames(dataset, tmp_path):
    atoms = labelled_salt(12)
    write(tmp_path / "salt.traj", atoms)
    with connect(tmp_path / "salt.db") as rows:
        for each in atoms:
            rows.write(each, source=each.info["source"])
    for name in ("salt.traj", "salt.db"):
        other = import_dataset([tmp_path / name], theory="PBE").frames()
        for column in ("numbers", "positions", "cells", "energies", "forces", "stresses"):
            # extxyz has eight decimals.
            assert getattr(other, column) == pytest.approx(getattr(dataset.frames(), column), abs=1e-7), (name, column)


def test_datasets_and_files_together(dataset, tmp_path):
    path = tmp_path / "more.extxyz"
    write(path, labelled_salt(16)[12:])
    both = import_dataset([dataset.pk, path], theory="PBE")
    assert both.n_frames == 16
    assert both.frames().files.tolist() == [0] * 12 + [1] * 4
    assert import_dataset([dataset, path], theory="PBE").examination["duplicates"]["count"] == 0
    assert import_dataset([dataset, dataset], theory="PBE").examination["duplicates"]["count"] == 12


def test_frames_are_put_on_other_sides(dataset):
    divided = split_dataset(dataset, split="source", validation_of=["run-200K"])
    assert divided.sides.tolist() == [0, 1] * 6
    assert divided.creator.inputs.dataset.uuid == dataset.uuid
    assert divided.theory == "PBE"


def test_the_command_line_tells_what_a_dataset_holds(file):
    status, output = said("import", file, "--theory", "PBEsol", "--label", "my salt", "--block-length", "2")
    assert status == 0
    for line in ("my salt (12 frames, PBEsol)", "NaCl (12)", "100 K (6), 200 K (6)", "training", "volume an atom"):
        assert line in output
    pk = find_dataset("my salt").pk
    assert re.search(rf"^{pk} +my salt +NaCl +12 +PBEsol +random", said("list")[1], re.MULTILINE)
    assert said("show", pk)[1] == said("show", "my salt")[1]
    status, output = said("split", pk, "--split", "temperature", "--validation-of", "200")
    assert status == 0, output
    assert "validation  6" in output


BAD = {
    "forces": ({"forces": lambda value: None}, {}, "frame 0 of bad.extxyz has no forces 'forces'"),
    "energy": ({"energies": lambda value: None}, {}, "has no energy 'energy'"),
    "NaN": ({"energies": lambda value: float("nan")}, {}, "a label that is no finite number: energy"),
    "NaN in forces": ({"forces": lambda value: value * np.nan}, {}, "a label that is no finite number: forces"),
    "no theory": ({}, {"theory": None}, "does not say of which level of theory it is"),
    "one frame": ({}, {"stop": 1}, "the dataset has 1 frame: training needs one and validation another"),
    "empty validation": ({}, {"block_length": 100, "source_key": "x"}, "leaves no frame to validate with"),
    "misspelt": ({}, {"sead": 1}, "has no parameter 'sead': did you mean 'seed'?"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(name, profile, tmp_path):
    changes, settings, words = BAD[name]
    path = tmp_path / "bad.extxyz"
    write(path, labelled_salt(12, **changes))
    before = QueryBuilder().append(Node).count()
    with pytest.raises(ValueError, match=words) as caught:
        import_dataset([path], **{"theory": "PBE", **settings})
    assert "\n" not in str(caught.value)
    assert QueryBuilder().append(Node).count() == before


def test_units_and_sign_of_stresses_are_taken_as_they_are_said(dataset, tmp_path):
    path = tmp_path / "vasp.extxyz"
    write(path, labelled_salt(12, stresses=lambda value: -value / units.GPa * 10))
    read = import_dataset([path], theory="PBE", stress_unit="kbar", stress_sign="opposite")
    assert read.frames().stresses == pytest.approx(dataset.frames().stresses)


def test_a_damaged_node_is_told_in_one_line(dataset):
    broken = DatasetData()
    for name in dataset.get_arraynames():
        broken.set_array(name, dataset.get_array(name)[:3])
    with pytest.raises(ValueError, match="is damaged"):
        broken.frames()
