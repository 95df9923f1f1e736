"""How a model is tested and what is asked of it: one table of settings, with defaults, ranges, units and sources.

Where a limit is published, its source is Mazitov et al., *PET-MAD as a lightweight universal interatomic potential for
advanced materials modeling*, Nat. Commun. (2025), called PET-MAD below. The others are ours, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_crucible.analysis.model_tests.lebedev import ORDERS
from crucible_engine.wire.rules import Parameter, ParameterError, complete

WHAT = "model tests"

TESTS = ("rotations", "dimers", "accuracy", "robustness", "conservation", "equipartition")
"""Short names; each but the accuracy, which is tested where there are labels, has a switch of this name."""

SETTINGS: dict[str, Parameter] = {
    "rotations": Parameter(bool, True, "test whether energy and forces turn with the structure"),
    "dimers": Parameter(bool, True, "test the curves of isolated pairs of atoms"),
    "robustness": Parameter(bool, True, "test whether relaxations from disturbed crystals end"),
    "conservation": Parameter(bool, True, "test whether a run without thermostat keeps its energy"),
    "equipartition": Parameter(bool, True, "test whether all elements have the temperature of the thermostat"),
    "lebedev_order": Parameter(int, 9, f"of the grid of directions: one of {', '.join(map(str, ORDERS))} (PET-MAD: 9)"),
    "turns": Parameter(int, 1, "evenly spaced angles about each direction", 1, 36),
    "displacement": Parameter(
        float, 0.05, "standard deviation of what every atom is moved by first, Å: symmetry would hide forces", 0.0, 1.0
    ),
    "rotational_energy": Parameter(
        float, 1e-3, "largest standard deviation over rotations, eV/atom (PET-MAD keeps within it)", 0.0, exclusive=True
    ),
    "rotational_force": Parameter(
        float, 0.02, "largest standard deviation of a force component over rotations, eV/Å (ours)", 0.0, exclusive=True
    ),
    "dimer_elements": Parameter(
        str,
        "material",
        "all pairs of the structures' elements, or each element that the model knows with itself",
        choices=("material", "all"),
    ),
    "dimer_distances": Parameter(int, 10, "logarithmically spaced (PET-MAD: 10)", 6, 500),
    "shortest_distance": Parameter(float, 0.9, "in mean covalent radii of the pair (PET-MAD: 0.9)", 0.2, 1.0),
    "longest_distance": Parameter(float, 5.0, "in mean covalent radii of the pair (PET-MAD: 5)", 3.0, 20.0),
    "spurious_depth": Parameter(
        float, 0.1, "depth from which a second minimum of a dimer counts, eV (ours)", 0.0, exclusive=True
    ),
    "starts": Parameter(int, 20, "disturbed starts of each crystal (PET-MAD: 1000)", 1, 2000),
    "start_disturbance": Parameter(
        float, 0.1, "standard deviation on positions and lattice vectors, Å (PET-MAD: 0.1)", 0.0, 1.0, exclusive=True
    ),
    "converged_share": Parameter(
        float, 0.9, "least share of starts that converge (in PET-MAD's test Orb-v2 fails in up to 0.1)", 0.0, 1.0
    ),
    "supercell_length": Parameter(float, 8.0, "runs are of cells that are at least as long, Å", 0.0, 100.0),
    "energy_drift": Parameter(
        float, 1e-4, "largest drift of the total energy, eV/(atom ps): 0.4 K/ps (ours)", 0.0, exclusive=True
    ),
    "equipartition_tolerance": Parameter(
        float, 0.05, "largest relative deviation of an element's temperature from that of all (ours)", 0.0, 1.0
    ),
    "both_forces": Parameter(
        bool,
        False,
        "test conservation with conservative forces, direct ones and multiple time stepping, of a model that has both",
    ),
    "direct_steps": Parameter(
        int, 8, "of multiple time stepping, between two corrections to conservative forces (PET-MAD: 8)", 1, 1000
    ),
    "energy_shift": Parameter(
        str,
        "per-element",
        "what is taken out of energies before they are compared: a constant an element, or nothing",
        choices=("per-element", "none"),
    ),
    "energy_error": Parameter(
        float, 0.02, "largest mean absolute error, eV/atom (PET-MAD on its own test set: 0.018)", 0.0, exclusive=True
    ),
    "force_error": Parameter(
        float, 0.1, "largest mean absolute error, eV/Å (PET-MAD on its own test set: 0.065)", 0.0, exclusive=True
    ),
    "stress_error": Parameter(float, 0.005, "largest mean absolute error, eV/Å³: 0.8 GPa (ours)", 0.0, exclusive=True),
    "model_theory": Parameter(str, None, "level of theory of the model, where its node does not know it"),
    "across_theories": Parameter(
        bool, False, "compare with labels of another level of theory, and say so instead of judging"
    ),
    "seed": Parameter(int, 0, "of every random number", 0, 2**32 - 1),
}


def validate_model_tests(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of model tests complete with defaults.

    :raises ValueError: one line that names the setting, what is wrong and what is allowed.
    """
    settings = complete(WHAT, SETTINGS, given)
    if settings["lebedev_order"] not in ORDERS:
        raise ParameterError(
            f"parameter 'lebedev_order' of {WHAT} is {settings['lebedev_order']}: there are grids of order "
            f"{', '.join(map(str, ORDERS))}"
        )
    return settings
