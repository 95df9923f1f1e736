"""The models of ORB that the conformance suite tries, see :mod:`crucible_engine.families.conformance`."""

from __future__ import annotations

from pathlib import Path

from ase.calculators.calculator import Calculator

from crucible_engine.families.conformance import Case, in_double

CASES = (
    # It keeps the 20 nearest neighbours, and an atom's images at +R and -R are always equally near: which one is
    # kept is arbitrary, and differs in a supercell.
    Case(
        "orb-v2",
        "orb",
        settings={"architecture": "orb-v2"},
        conservative=False,
        slabs=False,
        supercell_tolerance=1e-3,
    ),
    # Its short-range repulsion is averaged over the atoms of a cell where it should be summed (orb-models 0.5.5,
    # ZBLBasis.node_aggregation): the energy is not extensive once a bond is shorter than the covalent radii.
    Case(
        "orb-v3",
        "orb",
        settings={"architecture": "orb-v3-conservative-inf-omat"},
        slabs=False,
        supercell_tolerance=1e-3,
    ),
)

# Of the package, what has an underscore or no documentation; and the same of a network.
MEMBERS = (
    "orb_models.forcefield.pretrained:ORB_PRETRAINED_MODELS",
    "orb_models.forcefield.atomic_system:ase_atoms_to_atom_graphs",
    "orb_models.forcefield.base:batch_graphs",
    "cached_path:cached_path",
)
NETWORK_MEMBERS = (
    "system_config",
    "predict",
)


def make_checkpoint(case: Case, target: Path) -> None:
    """Write random weights."""
    import torch
    from orb_models.forcefield import pretrained

    torch.manual_seed(0)
    build = pretrained.orb_v2_architecture if case.name == "orb-v2" else pretrained.orb_v3_conservative_architecture
    torch.save(build(device="cpu").state_dict(), target)


def package_calculator(case: Case, checkpoint: Path, dtype: str) -> Calculator:
    """Return the package's own calculator, in double precision by other means than the adapter's."""
    import torch
    from orb_models.forcefield.calculator import ORBCalculator
    from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

    precision = {"float32": "float32-highest", "float64": "float64"}[dtype]
    build = ORB_PRETRAINED_MODELS[case.settings["architecture"]]
    calculator = ORBCalculator(
        build(weights_path=str(checkpoint), device="cpu", precision=precision, compile=False), device="cpu"
    )
    # The package makes its precision torch's default, and its calculator relies on that.
    torch.set_default_dtype(torch.float32)
    return calculator if dtype == "float32" else in_double(calculator)
