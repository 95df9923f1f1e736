"""What a training leaves, and what becomes nodes of it, without a package that trains."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from ase.io import write
from labelled_frames import labelled_salt

from aiida_crucible.calculations.train.calculation import check_method
from aiida_crucible.calculations.train.parser import description_of, read_reached
from aiida_crucible.datasets.from_files import import_dataset
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.workflows.train.calcfunctions import prepared
from aiida_crucible.workflows.train.workchain import TrainWorkChain
from crucible_engine.wire.schema import ARRAYS_FILE, PROTOCOL, REACHED_FILE, RESULTS_FILE, TRAINED_FILE, Results
from crucible_engine.wire.training import CURVES

WEIGHTS = b"PK\x03\x04 weights"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()
N_EPOCHS = 3


@pytest.fixture(scope="module")
def dataset(profile, tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "salt.extxyz"
    write(path, labelled_salt(12))
    node = import_dataset([path], theory="PBEsol")
    node.label = "salt"
    return node


@pytest.fixture(scope="module")
def chgnet(profile):
    return ModelData.get_or_create("chgnet")


def arrays_of(n_frames=12, n_epochs=N_EPOCHS, **changes):
    n_atoms = np.full(n_frames, 2)
    arrays = {name: np.ones(n_epochs) for name in CURVES}
    arrays |= {
        "energies": np.zeros(n_frames),
        "forces": np.zeros((2 * n_frames, 3)),
        "stresses": np.zeros((n_frames, 6)),
        "n_atoms": n_atoms,
    }
    stream = io.BytesIO()
    np.savez(stream, **{name: each for name, each in (arrays | changes).items() if each is not None})
    return stream.getvalue()


def results_of(chgnet, condition="finished", outcome="trained", **summary):
    told = {"method": "full", "weights": DIGEST, "errors": {}, "best_epoch": 2, "epochs_done": 3, **summary}
    results = Results("train", condition, "" if condition == "finished" else "why", outcome, told)
    results.model = {"sha256": chgnet.sha256}
    return json.dumps({**results.to_dict(), "protocol": PROTOCOL}).encode()


@pytest.fixture
def parsed(parse, dataset, chgnet):
    def run(results=None, temporary=None, **inputs):
        files = {RESULTS_FILE: results or results_of(chgnet)}
        left = {ARRAYS_FILE: arrays_of(), TRAINED_FILE: WEIGHTS} if temporary is None else temporary
        from aiida.orm import Dict

        given = {"model": chgnet, "dataset": dataset, "parameters": Dict({"epochs": N_EPOCHS}), **inputs}
        return parse("train", files, left, given)

    return run


def test_the_trained_potential_is_a_node_that_knows_what_it_is(parsed, chgnet, dataset):
    outputs, code = parsed()
    assert code.status == 0
    trained = outputs["trained"]
    assert isinstance(trained, ModelData)
    assert not trained.is_stored
    assert (trained.family, trained.name, trained.sha256) == ("chgnet", None, DIGEST)
    assert (trained.functional, trained.hubbard_u) == ("PBEsol", False)
    assert trained.elements == chgnet.elements
    assert trained.label == "chgnet 0.3.0, fine-tuned on salt"
    assert trained.training_set == "MPtrj, then salt (12 frames, PBEsol)"
    assert outputs["curves"].get_array("validation_loss").shape == (N_EPOCHS,)
    assert outputs["properties"].get_array("forces").shape == (24, 3)


def test_the_same_weights_may_be_made_twice(parsed):
    first = parsed()[0]["trained"].store()
    second = parsed()[0]["trained"].store()
    assert first.uuid != second.uuid
    assert first.identity == second.identity


def test_from_scratch_it_knows_the_elements_of_the_dataset_alone(chgnet, dataset):
    known = description_of(chgnet, dataset, "scratch")
    assert known["elements"] == ("Na", "Cl")
    assert known["training_set"] == "salt (12 frames, PBEsol)"


def test_a_training_that_diverged_at_once_leaves_no_potential(parsed, chgnet):
    told = {"weights": None, "diverged": {"epoch": 1, "step": 4}, "best_epoch": None}
    nothing = dict.fromkeys(("energies", "forces", "stresses", "n_atoms"))
    left = {ARRAYS_FILE: arrays_of(n_epochs=0, **nothing)}
    outputs, code = parsed(results_of(chgnet, outcome="diverged", **told), left)
    assert code.status == 0
    assert set(outputs) == {"results"}


BROKEN = {
    "missing weights": ({ARRAYS_FILE: arrays_of()}, 312, "trained.model was not retrieved"),
    "other weights": ({ARRAYS_FILE: arrays_of(), TRAINED_FILE: b"PK\x03\x04 other"}, 313, "another sha256"),
    "other frames": ({ARRAYS_FILE: arrays_of(11), TRAINED_FILE: WEIGHTS}, 313, "energies has shape"),
    "more epochs": ({ARRAYS_FILE: arrays_of(n_epochs=4), TRAINED_FILE: WEIGHTS}, 313, "there are 4 epochs where 3"),
    "no curve": (
        {ARRAYS_FILE: arrays_of(validation_loss=None), TRAINED_FILE: WEIGHTS},
        313,
        "validation_loss is missing",
    ),
    "no arrays": ({TRAINED_FILE: WEIGHTS}, 312, "arrays.npz was not retrieved"),
    "huge": ({ARRAYS_FILE: arrays_of(energies=np.zeros(10**6)), TRAINED_FILE: WEIGHTS}, 312, "no more than"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_damaged_has_a_name(name, parsed):
    left, status, words = BROKEN[name]
    outputs, code = parsed(temporary=left)
    assert code.status == status
    assert words in code.message
    assert "trained" not in outputs


def test_weights_of_another_family_are_none(parsed, chgnet):
    other = b"not torch"
    told = results_of(chgnet, weights=hashlib.sha256(other).hexdigest())
    outputs, code = parsed(told, {ARRAYS_FILE: arrays_of(), TRAINED_FILE: other})
    assert code.status == 310
    assert "trained" not in outputs


def test_an_unfinished_training_says_how_far_its_checkpoint_is(parsed, chgnet):
    told = results_of(chgnet, "interrupted", None, checkpoint={"epoch": 2, "step": 7})
    outputs, code = parsed(told, {})
    assert code.status == 400
    assert outputs["results"]["summary"]["checkpoint"] == {"epoch": 2, "step": 7}


def test_so_does_one_that_was_killed(parse, dataset, chgnet):
    left = {REACHED_FILE: b'{"epoch": 1, "step": 4}'}
    outputs, code = parse("train", {"progress.jsonl": b"{}\n"}, left, {"model": chgnet, "dataset": dataset})
    assert code.status == 400
    assert outputs["results"]["summary"] == {"checkpoint": {"epoch": 1, "step": 4}}


@pytest.mark.parametrize(
    "content", [b"", b"[" * 100000, b'{"epoch": 1}', b'{"epoch": "x", "step": 1}', b"\xff", b"NaN"]
)
def test_a_damaged_checkpoint_is_none(tmp_path, content):
    (tmp_path / REACHED_FILE).write_bytes(content)
    assert read_reached(tmp_path / REACHED_FILE) is None


@pytest.mark.parametrize(
    ("model", "parameters", "words"),
    [
        ("emt", {}, "models of family 'emt' cannot be trained here"),
        ("chgnet", {"extra": {"optimiser": "Adam"}}, "takes no extra 'optimiser': did you mean 'optimizer'?"),
        ("chgnet", {"energy_weight": 0, "force_weight": 0}, "are both 0"),
        ("chgnet", {"method": "lora"}, "parameter 'method' of train is 'lora'"),
        ("chgnet", {"ema": 1.0}, "parameter 'ema' of train is 1"),
        ("chgnet", {"extra": 1}, "give a dict"),
    ],
)
def test_what_a_family_cannot_train_is_refused(profile, model, parameters, words):
    with pytest.raises(ValueError, match=words) as caught:
        check_method(ModelData.get_or_create(model), parameters)
    assert "\n" not in str(caught.value)


def test_bad_inputs_are_refused_before_submission(dataset, chgnet, code):
    with pytest.raises(ValueError, match="contains Cl, Na, which model emt does not know"):
        TrainWorkChain.get_builder_from_protocol(code, ModelData.get_or_create("emt"), dataset, "fast")
    with pytest.raises(ValueError, match="determine 1 of the shifts of 2 elements"):
        TrainWorkChain.get_builder_from_protocol(code, chgnet, dataset, "fast")
    overrides = {"parameters": {"energy_shift": "distributed"}, "train": {"train": {"parameters": {"batch_size": 0}}}}
    with pytest.raises(ValueError, match="parameter 'batch_size' of train is 0: it must be at least 1"):
        TrainWorkChain.get_builder_from_protocol(code, chgnet, dataset, "fast", overrides=overrides)
    overrides["train"]["train"]["parameters"] = {"epochs": 2}
    builder = TrainWorkChain.get_builder_from_protocol(code, chgnet, dataset, "fast", overrides=overrides)
    assert builder.train.train.parameters["epochs"] == 2


def test_labels_are_put_on_the_models_zero(dataset):
    from aiida.orm import ArrayData

    frames = dataset.frames()
    answers = ArrayData(
        {"energies": frames.energies + 44.0, "forces": frames.forces.reshape(12, 2, 3), "stresses": frames.stresses}
    )
    shifted, report = prepared(dataset, answers, {"energy_shift": "distributed"}, {"title": "m", "theory": "PBE"})
    assert shifted.frames().energies == pytest.approx(frames.energies + 44.0)
    assert report["energy_shift"]["by_element"] == pytest.approx({"Na": -22.0, "Cl": -22.0})
    assert shifted.energy_shift["model"] == "m"
    assert (shifted.sides == dataset.sides).all()
    flipped = ArrayData(
        {"energies": frames.energies, "forces": frames.forces.reshape(12, 2, 3), "stresses": -frames.stresses}
    )
    with pytest.raises(ValueError, match="the stress labels seem to be of the other sign"):
        prepared(dataset, flipped, {"energy_shift": "distributed"}, {"title": "m", "theory": "PBE"})
