"""Models from an archive: what they name does not run, and nobody else's trust counts."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from aiida.manage import get_manager
from aiida.orm import ArrayData, load_node

from aiida_crucible.calculations.validation import check_trust
from aiida_crucible.nodes.model import ModelData


class RunsCode:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


HOSTILE = {"factory": "os:system", "arguments": {"command": "true"}}


@pytest.fixture
def imported(localhost):
    """Return a node as an archive brings it."""
    model = ModelData.get_or_create("ase", settings=HOSTILE)
    model.base.extras.delete(ModelData.TRUSTED_KEY) if ModelData.TRUSTED_KEY in model.base.extras.all else None
    return model


def test_a_model_that_runs_code_is_refused_before_anything_is_submitted(imported):
    assert not imported.trusted and not imported.to_reference().trust_code
    with pytest.raises(
        ValueError, match=r"runs the code that it names \(factory 'os:system'\).*--trust-code"
    ) as caught:
        check_trust(imported)
    assert "\n" not in str(caught.value)


def test_trust_is_said_by_name(imported):
    assert ModelData.get_or_create("ase", settings=HOSTILE, trust_code=True).uuid == imported.uuid
    assert imported.to_reference().trust_code and not imported.to_reference().trust_pickle
    check_trust(imported)


def test_a_mark_that_travelled_serves_no_other_model(imported):
    """Extras are exported: who saw the mark of one model can write it on another one that claims the same identity."""
    seen = ModelData.get_or_create("ase", settings={"factory": "harmless:calculator"}, trust_code=True)
    mark = seen.base.extras.get(ModelData.TRUSTED_KEY)
    assert get_manager().get_profile().uuid not in mark
    forged = ModelData()
    forged.base.attributes.set_many({**seen.base.attributes.all, "settings": HOSTILE})
    forged.store()
    forged.base.extras.set(ModelData.TRUSTED_KEY, mark)
    assert forged.identity == seen.identity
    assert seen.trusted and not forged.trusted


def test_a_node_that_claims_another_identity_is_not_found_for_it(localhost):
    """Else trusting one model by name would trust what an archive brought in its place."""
    settings = {"factory": f"mine_{uuid4().hex}:calculator"}
    wanted = ModelData.get_or_create("ase", settings=settings, store=False)
    forged = ModelData()
    forged.base.attributes.set_many({**wanted.base.attributes.all, "settings": HOSTILE})
    forged.store()
    found = ModelData.get_or_create("ase", settings=settings, trust_code=True)
    assert found.identity == forged.identity and found.settings == wanted.settings
    assert found.trusted and not forged.trusted


@pytest.mark.parametrize("mark", ["profile", True, 1])
def test_nothing_else_is_a_mark(imported, mark):
    imported.base.extras.set(ModelData.TRUSTED_KEY, get_manager().get_profile().uuid if mark == "profile" else mark)
    assert not imported.trusted


@pytest.mark.parametrize(
    ("family", "said", "message"),
    [
        ("emt", {"trust_code": True}, "runs no code that its settings name: leave trust_code out"),
        ("ase", {"trust_pickle": True}, "no checkpoint that could be unpickled: say trust_code instead"),
        ("emt", {"trust_pickle": True}, "no checkpoint that could be unpickled: leave trust_pickle out"),
        ("ase", {"trust_code": "no"}, "trust_code is 'no': give True or False"),
    ],
)
def test_trust_that_means_nothing_is_refused(localhost, family, said, message):
    with pytest.raises(ValueError, match=message):
        ModelData.get_or_create(family, settings=HOSTILE if family == "ase" else None, **said)


def test_a_node_with_python_objects_gives_none(localhost, tmp_path):
    """An archive may bring a node whose file is a pickle: AiiDA reads arrays without pickles."""
    marker = tmp_path / "ran"
    np.save(tmp_path / "forces.npy", np.array([RunsCode(marker)], dtype=object), allow_pickle=True)
    node = ArrayData()
    node.base.repository.put_object_from_file(str(tmp_path / "forces.npy"), "forces.npy")
    node.base.attributes.set("array|forces", [1])
    node.store()
    with pytest.raises(ValueError, match="allow_pickle"):
        load_node(node.pk).get_array("forces")
    assert not marker.exists()
