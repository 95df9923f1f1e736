"""ASE has the undocumented members that the engine uses: a release that moves one fails here by its name."""

import numpy as np
import pytest
from ase.build import bulk
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from crucible_engine.families import ase_compat
from crucible_engine.tasks.dynamics.integrators import INTEGRATORS
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters


@pytest.fixture
def copper():
    atoms = bulk("Cu", cubic=True)
    atoms.calc = ase_compat.OrderedEMT()
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(0))
    return atoms


@pytest.mark.parametrize("name", [name for name, integrator in INTEGRATORS.items() if integrator.state])
def test_an_integrator_keeps_its_state_where_it_did(copper, name):
    mask = {"mask": [1, 1, 1]} if name == "npt-mtk-masked" else {}
    given = {"ensemble": name.removesuffix("-masked"), "temperatures": [300.0], **mask}
    settings = Settings(**validate_parameters("dynamics", given))
    dynamics = INTEGRATORS[name].make(copper, settings, 300.0, np.random.default_rng(1))
    dynamics.run(2)
    gone = [path for path in INTEGRATORS[name].state if _find(dynamics, path) is None]
    assert not gone, f"ASE keeps no {', '.join(gone)} of {type(dynamics).__name__} any more: see ase_compat.py"


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("nvt-bussi", ["temp", "target_kinetic_energy"]),
        ("npt-melchionna", ["temperature", "desiredEkin", "tfact"]),
        ("npt-mtk", ["_thermostat._kT", "_barostat._kT"]),
    ],
)
def test_a_target_temperature_is_where_it_was(copper, name, paths):
    settings = Settings(**validate_parameters("dynamics", {"ensemble": name, "temperatures": [300.0]}))
    dynamics = INTEGRATORS[name].make(copper, settings, 300.0, np.random.default_rng(1))
    dynamics.run(1)

    before = {path: _find(dynamics, path) for path in paths}
    assert None not in before.values(), f"ASE has moved a target temperature of {name}: {before}"
    INTEGRATORS[name].heat(dynamics, 600.0)
    assert all(_find(dynamics, path) != before[path] for path in paths)


def test_a_neighbour_list_keeps_its_arrays_where_it_did(copper):
    copper.get_potential_energy()
    neighbours = copper.calc.nl
    assert len(neighbours.nl.neighbors) == len(neighbours.nl.displacements) == len(copper)
    assert copper.calc.rc_list > 0
    ordered = [list(indices) for indices in neighbours.nl.neighbors]
    assert ordered == [sorted(indices) for indices in ordered]


def _find(dynamics, path):
    found = dynamics
    for part in path.split("."):
        found = getattr(found, part, None)
    return found
