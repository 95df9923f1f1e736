"""Names that users give: those that AiiDA cannot take are refused when they are given, with one that it takes."""

import re

import pytest
from aiida.orm import Dict
from ase.build import bulk

from aiida_crucible.calculations.evaluate.calculation import EvaluateCalculation
from aiida_crucible.nodes.labels import check_labels
from aiida_crucible.nodes.structures import atoms_to_trajectory, from_atoms
from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain
from aiida_crucible.workflows.relax.workchain import RelaxWorkChain
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain

BAD = {
    "P6_3/mmc": "P6_3_mmc",
    "\N{GREEK SMALL LETTER ALPHA}": "phase",
    "class": "class_1",
    "1hcp": "phase_1hcp",
    "hcp__x": "hcp_x",
    "hcp_": "hcp",
    "_hcp": "hcp",
    "a.b": "a_b",
    "hcp phase": "hcp_phase",
    "hcp\n": "hcp",
    "": "phase",
    "results": "results_1",
    "metadata": "metadata_1",
}


@pytest.mark.parametrize(("bad", "good"), BAD.items(), ids=range(len(BAD)))
def test_what_cannot_be_a_name_is_answered_with_what_can(bad, good):
    with pytest.raises(ValueError) as caught:
        check_labels("a phase", [bad])
    message = str(caught.value)
    assert message.startswith(f"a phase is labelled {bad!r}")
    assert "\n" not in message
    assert repr(good) in message or "choose another label" in message
    check_labels("a phase", [good])


@pytest.mark.parametrize("label", [1, 2.5, None, ("a",)])
def test_what_is_no_text_is_no_name(label):
    with pytest.raises(ValueError, match=rf"^a phase is labelled {re.escape(repr(label))}"):
        check_labels("a phase", [label])


@pytest.mark.parametrize("label", ["P6_3/mmc", "\N{GREEK SMALL LETTER ALPHA}", "class", "1hcp", "hcp__x", "a.b"])
def test_every_builder_refuses_it(label, code, model):
    copper = from_atoms(bulk("Cu", cubic=True))
    with pytest.raises(ValueError, match="a competing phase is labelled"):
        ReliabilityWorkChain.get_builder_from_protocol(
            code, model, copper, "fast", competing={label: from_atoms(bulk("Cu", "hcp", a=2.55, c=4.16))}
        )
    with pytest.raises(ValueError, match="a structure is labelled"):
        RelaxWorkChain.get_builder_from_protocol(code, model, {label: copper, "copper": copper}, "fast")
    frames = atoms_to_trajectory([bulk("Cu", cubic=True)])
    with pytest.raises(ValueError, match="a trajectory is labelled"):
        ConfigurationSpaceWorkChain.get_builder_from_protocol(code, {label: frames, "copper": frames})
    builder = EvaluateCalculation.get_builder()
    with pytest.raises(ValueError, match="a structure is labelled"):
        builder.structures = {label: copper}


def test_one_atom_cannot_run_where_the_centre_of_mass_rests(code, model):
    parameters = {"temperatures": [300.0], "supercell_matrix": [1, 1, 1]}
    overrides = {"parameters": parameters, "base": {"dynamics": {"parameters": {"ensemble": "npt-melchionna"}}}}
    arguments = (code, model, from_atoms(bulk("Cu")))
    with pytest.raises(ValueError, match="one atom is its own: take a supercell"):
        TemperatureSweepWorkChain.get_builder_from_protocol(*arguments, "fast", overrides=overrides)
    with pytest.raises(ValueError, match="one atom is its own: take a supercell"):
        ReliabilityWorkChain.get_builder_from_protocol(*arguments, "fast", overrides={"sweep": overrides})
    parameters["supercell_matrix"] = [2, 1, 1]
    builder = TemperatureSweepWorkChain.get_builder_from_protocol(*arguments, "fast", overrides=overrides)
    assert isinstance(builder.parameters, Dict)
