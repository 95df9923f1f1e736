"""What one run at one temperature says: averages with errors, mean structure, order, polarization, motion of atoms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_crucible.analysis.crystal.cells import formula_units, lattice_operations
from aiida_crucible.analysis.crystal.displacements import displacements, unwrapped_displacements
from aiida_crucible.analysis.crystal.lattice_symmetry import forbidden_strains, lattice_from, parameters_of
from aiida_crucible.analysis.crystal.mapping import CrystalMapping, find_sites
from aiida_crucible.analysis.dynamics.diffusion import (
    diffusion_coefficients,
    lindemann_indices,
    mean_square_displacements,
)
from aiida_crucible.analysis.dynamics.lattice_series import lattice_series
from aiida_crucible.analysis.dynamics.mean_structure import (
    MeanStructure,
    collective_error,
    independent_samples,
    mean_structure,
)
from aiida_crucible.analysis.dynamics.order_parameters import displacement_pattern, domain_amplitudes, projections
from aiida_crucible.analysis.dynamics.pair_distribution import pair_distribution
from aiida_crucible.analysis.dynamics.polarization import (
    MICROCOULOMB_PER_CM2,
    local_cells_around,
    neutral_charges,
    polarization,
)
from aiida_crucible.analysis.statistics.averages import Average, average, statistical_inefficiencies
from crucible_engine.wire.schema import SERIES_COLUMNS

FEWEST_FRAMES = 2
FEWEST_FRAMES_FOR_DIFFUSION = 100

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Crystal:
    """What was run, and what to compare it with.

    :param unit_cell: that the supercell was made of.
    :param supercell: where the run's first temperature began.
    :param reference: the high-symmetry structure, the unit cell's atoms in its order; ``None`` where it is not known.
    :param charges: Born charges of the unit cell's atoms, e, [n_unit_atoms, 3, 3]; they need a reference.
    :param displaced: the structure in which the order parameter is 1, the unit cell's atoms in its order; the unit cell
        itself if ``None``. One that was relaxed may have lost what the order parameter measures.
    """

    unit_cell: Atoms
    supercell: Atoms
    reference: Atoms | None = None
    charges: Array | None = None
    displaced: Atoms | None = None


@dataclass(frozen=True)
class Run:
    """The arrays of one run, from the step on from which it is averaged.

    :param series: one array for each of :data:`crucible_engine.wire.schema.SERIES_COLUMNS`, [n_rows].
    :param times: of the frames, fs, equally spaced, [n_frames].
    :param positions: of the frames, unwrapped, Å, [n_frames, n_atoms, 3].
    :param cells: of the frames, Å, [n_frames, 3, 3].
    :param mean_positions: Å, [n_atoms, 3].
    :param mean_squares: mean square displacements around them, Å², [n_atoms, 3].
    :param mean_cell: Å, [3, 3].
    """

    series: Mapping[str, Array]
    times: Array
    positions: NDArray[np.floating]
    cells: Array
    mean_positions: Array
    mean_squares: Array
    mean_cell: Array


@dataclass
class RunAnalysis:
    """What was found.

    :param values: scalars by subject, JSON-serializable, see :func:`analyse_run`.
    :param mean: the mean structure; ``None`` where the crystal was lost.
    :param arrays: pair distributions and mean square displacements.
    """

    values: dict[str, Any]
    mean: MeanStructure | None = None
    arrays: dict[str, Array] = field(default_factory=dict)


def analyse_run(run: Run, crystal: Crystal, settings: Mapping[str, Any], is_crystal: bool) -> RunAnalysis:
    """Return what a run says of a crystal at its temperature.

    The values have ``averages`` (by name ``mean``, ``standard_error`` (widened where few values are independent, see
    :attr:`~aiida_crucible.analysis.statistics.averages.Average.cautious_error`), ``standard_deviation``,
    ``n_effective``, ``cut`` (rows left out) and ``warning``): the lattice parameters of the unit cell in its own axes
    (Å, degrees, volume in Å³ a formula unit), ``temperature`` (K), ``pressure`` (GPa), ``potential_energy`` (eV an
    atom), and with a reference ``order_parameter`` (1 in the given structure, 0 in the reference, whatever the domain)
    and ``projection`` (the same with the sign of the domain), with charges ``polarization_x`` … and its
    ``polarization`` (length) in µC/cm². ``given_lattice`` has what strains are counted from. Of a crystal there are
    also ``mean_structure``, ``forbidden_strains`` (how far the mean lattice is off what its robust space group fixes),
    ``lindemann`` and, with frames enough, ``diffusion`` (Å²/fs).

    :param is_crystal: whether the crystal survived; one that did not has no sites to compare with.
    :raises ValueError: one line, if arrays do not fit to each other.
    """
    fixed = settings["equilibration"] == "fixed"
    sites = find_sites(crystal.supercell, crystal.unit_cell)
    lattice = lattice_series(_cells(run.series), sites.matrix, formula_units(crystal.unit_cell))
    series: dict[str, Array] = dict(lattice.values)
    series |= {name: run.series[name] for name in ("temperature", "pressure")}
    series["b_over_a"] = series["b"] / series["a"]
    series["potential_energy"] = run.series["potential_energy"] / len(crystal.supercell)
    analysis = RunAnalysis({"given_lattice": parameters_of(crystal.unit_cell.cell.array)})
    has_frames = len(run.positions) >= FEWEST_FRAMES
    if has_frames:
        _describe_motion(analysis, run, crystal.supercell, settings)
    if is_crystal and has_frames:
        analysis.mean = _mean_structure(run, crystal, sites, lattice.length_error)
        analysis.values["mean_structure"] = _describe_mean(analysis.mean)
        analysis.values["lindemann"] = lindemann_indices(run.mean_squares, crystal.supercell)
        series |= _order(run, crystal, sites, settings)
    analysis.values["averages"] = {
        name: _plain(average(values, cut=0 if fixed else None)) for name, values in series.items() if _is_finite(values)
    }
    if analysis.mean is not None and analysis.mean.robust:
        analysis.values["forbidden_strains"] = _forbidden(analysis.mean, analysis.values["averages"], sites)
    return analysis


def describe_run(summary: Mapping[str, Any], time_step: float, supercell: Atoms) -> dict[str, Any]:
    """Return how a run went, whatever became of it, JSON-serializable.

    :param time_step: fs.
    """
    kept = ("temperature", "outcome", "step", "steps", "found_at_step", "conserved_drift", "start")
    return {
        **{name: summary[name] for name in kept if name in summary},
        "reason": summary["evidence"]["reason"],
        "time_step": time_step,
        "n_atoms": len(supercell),
        "lightest_mass": float(supercell.get_masses().min()),
    }


def evenly_spaced(steps: NDArray[np.integer], from_step: int) -> NDArray[np.int64]:
    """Return which frames to use: those from a step on, without a last one that comes sooner than the others did.

    :param steps: of the frames, ascending, [n_frames].
    """
    frames = np.flatnonzero(steps >= from_step)
    gaps = np.diff(steps[frames])
    return frames[:-1] if len(gaps) > 1 and gaps[-1] != gaps[0] else frames


def _cells(series: Mapping[str, Array]) -> Array:
    columns = [name for name in SERIES_COLUMNS if name.startswith("cell_")]
    return np.stack([series[name] for name in columns], axis=1).reshape(-1, 3, 3)


def _mean_structure(run: Run, crystal: Crystal, sites: CrystalMapping, length_error: float) -> MeanStructure:
    u = displacements(run.positions, run.cells, crystal.supercell)
    inefficiencies = statistical_inefficiencies(u.reshape(len(u), -1))
    return mean_structure(
        run.mean_positions,
        run.mean_cell,
        run.mean_squares,
        crystal.unit_cell,
        sites,
        n_independent=independent_samples(inefficiencies, len(u)),
        collective_error=collective_error(u, sites),
        length_error=length_error if np.isfinite(length_error) else 0.0,
    )


def _forbidden(mean: MeanStructure, averages: Mapping[str, Any], sites: CrystalMapping) -> dict[str, float]:
    """Return how far the mean lattice is off what the space group of the mean structure fixes."""
    cell = lattice_from({name: item["mean"] for name, item in averages.items()})
    operations = lattice_operations(mean.atoms, mean.tolerance)
    return forbidden_strains(cell, operations, None if mean.folded else sites.matrix)


def _describe_mean(mean: MeanStructure) -> dict[str, Any]:
    names = (
        "space_group",
        "robust",
        "at_half_tolerance",
        "at_double_tolerance",
        "tolerance",
        "largest_deviation",
        "reason",
    )
    return {"is_unit_cell": mean.folded, **{name: getattr(mean, name) for name in names}}


def _order(run: Run, crystal: Crystal, sites: CrystalMapping, settings: Mapping[str, Any]) -> dict[str, Array]:
    """Return the time series of order parameters and polarization, of the frames."""
    if crystal.reference is None:
        return {}
    reference = sites.of_phase(crystal.reference)
    displaced = crystal.unit_cell if crystal.displaced is None else crystal.displaced
    pattern = displacement_pattern(crystal.reference, displaced).repeated(sites)
    u = displacements(run.positions, run.cells, reference)
    series = {"order_parameter": domain_amplitudes(u, run.cells, pattern)}
    series["projection"] = projections(u, run.cells, pattern)
    if crystal.charges is None:
        return series
    charges = neutral_charges(crystal.charges[sites.unit_atoms])
    centre = settings["local_centre"]
    local_cells = None if centre is None else local_cells_around(reference, centre)
    found = polarization(run.positions, run.cells, reference, charges, local_cells)
    total = found.total * MICROCOULOMB_PER_CM2
    series |= {f"polarization_{axis}": total[:, index] for index, axis in enumerate("xyz")}
    series["polarization"] = np.linalg.norm(total, axis=1)
    if found.local is not None:
        series["local_polarization"] = np.linalg.norm(found.local, axis=2).mean(axis=1) * MICROCOULOMB_PER_CM2
    return series


def _describe_motion(analysis: RunAnalysis, run: Run, supercell: Atoms, settings: Mapping[str, Any]) -> None:
    """Add pair distributions, mean square displacements and diffusion coefficients."""
    symbols = supercell.get_chemical_symbols()
    paths = unwrapped_displacements(run.positions, run.cells, supercell.get_masses())
    pairs = pair_distribution(
        run.positions,
        run.cells,
        symbols,
        largest_radius=settings["pair_distance"],
        n_bins=settings["pair_bins"],
    )
    analysis.arrays["pair_distances"] = pairs.radii
    for (first, second), values in pairs.values.items():
        analysis.arrays[f"pair_distribution_{first}_{second}"] = values
    lags = run.times - run.times[0]
    analysis.arrays["lags"] = lags
    for symbol, values in mean_square_displacements(paths, symbols).items():
        analysis.arrays[f"mean_square_displacement_{symbol}"] = values
    if len(run.positions) >= FEWEST_FRAMES_FOR_DIFFUSION:
        found = diffusion_coefficients(paths, symbols, float(lags[1]))
        analysis.values["diffusion"] = {
            symbol: {"mean": item.value, "standard_error": item.standard_error} for symbol, item in found.items()
        }


def _is_finite(values: Array) -> bool:
    return bool(len(values) and np.isfinite(values).all())


def _plain(item: Average) -> dict[str, Any]:
    """Return an average as JSON takes it: an error that is not known is ``None``."""
    return {**asdict(item), "standard_error": item.cautious_error if np.isfinite(item.standard_error) else None}
