"""Relaxation of several structures in one job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida.engine import CalcJobProcessSpec, PortNamespace
from aiida.orm import ArrayData, Dict, FolderData, StructureData, TrajectoryData
from ase import Atoms

from aiida_crucible.analysis.crystal.cells import require_no_vacuum
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.base import EngineCalculation, check_unfinished
from aiida_crucible.nodes.structures import require_crystal, to_atoms

PURPOSE = "a relaxation with a moving cell"


class RelaxCalculation(EngineCalculation):
    """Relax the structures of a namespace, each to its own convergence."""

    TASK = "relax"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare what to relax and what comes of it."""
        super().define(spec)
        spec.input_namespace(
            "structures",
            valid_type=StructureData,
            dynamic=True,
            validator=validation.validator(validation.check_structures),
            help="What to relax.",
        )
        spec.input(
            "restart_from",
            valid_type=FolderData,
            required=False,
            validator=validation.validator(check_unfinished),
            help="The `retrieved` output of a job with the same inputs that was interrupted, or that did not converge "
            "in fewer `max_steps`: it is continued to the last bit.",
        )
        spec.output_namespace(
            "relaxed",
            valid_type=StructureData,
            dynamic=True,
            required=False,
            help="The last geometry of each structure, converged or not; keys are those of the inputs.",
        )
        spec.output_namespace(
            "trajectories",
            valid_type=TrajectoryData,
            dynamic=True,
            required=False,
            help="The geometries on the way, where `trajectory_interval` asks for them; keys are those of the inputs.",
        )
        spec.output(
            "properties",
            valid_type=ArrayData,
            required=False,
            help="Of the last geometries, in the order of the sorted keys: `energies` [n] (eV), `forces` "
            "[n, n_atoms, 3] (eV/Å; [n_atoms_total, 3] where sizes differ), `stresses` [n, 6] (eV/Å³, ASE's sign, "
            "Voigt xx yy zz yz xz xy), `n_atoms` [n].",
        )

    @classmethod
    def check_inputs(cls, inputs: Mapping[str, Any], ports: PortNamespace) -> None:
        """Check that there is something to relax, and that a moving cell is asked of crystals alone."""
        if "structures" in ports and not inputs.get("structures"):
            raise ValueError("there is nothing to relax: give structures")
        super().check_inputs(inputs, ports)
        if "parameters" in inputs:
            require_relaxable(inputs.get("structures") or {}, inputs["parameters"])

    @classmethod
    def symbols_by_input(cls, inputs: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the chemical symbols of each structure."""
        return validation.symbols_of(inputs.get("structures"))

    def structures_to_write(self) -> Iterator[tuple[str, Atoms]]:
        """Yield the structures in the order of their sorted keys."""
        for key, structure in sorted(self.inputs.structures.items()):
            yield key, to_atoms(structure)


def require_relaxable(structures: Mapping[str, StructureData], parameters: Dict) -> None:
    """Refuse what is no crystal, or holds vacuum, where the cell is to move.

    :raises ValueError: one line.
    """
    if parameters.get("cell", None) == "fixed":
        return
    for key, structure in structures.items():
        try:
            require_crystal(structure, PURPOSE)
            require_no_vacuum(to_atoms(structure), PURPOSE)
        except ValueError as error:
            raise ValueError(f"structure {key!r}: {error}; or set the parameter cell to 'fixed'") from None
