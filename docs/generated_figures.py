"""Draws the figures of the topics when the documentation is built, from numbers that are computed here and now.

All of them are of fcc copper with ASE's EMT, by the functions that a run uses, in seconds.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from matplotlib.figure import Figure
from phonopy.harmonic.force_constants import compact_fc_to_full_fc

from aiida_crucible.analysis.anharmonicity.score import crystal_groups, sum_forces, time_averaged
from aiida_crucible.analysis.phonons.force_constants import solve_force_constants
from aiida_crucible.analysis.phonons.phonon_analysis import prepare, solve
from aiida_crucible.analysis.phonons.settings import validate_settings
from crucible_engine.tasks.dynamics.integrators import integrator_of, read_state, write_state
from crucible_engine.tasks.dynamics.settings import Settings
from crucible_engine.tasks.parameters import validate_parameters

FOLDER = Path(__file__).parent / "topics" / "generated"
SOURCE = Path(__file__).parents[1] / "src"
LATTICE = 3.5944
"""Of EMT's copper, Å."""

AIIDA_SIDE = (
    *("cli", "demo", "site", "launch", "report", "workflows", "environments"),
    *("references", "calculations", "monitoring"),
)
ROOMS = (
    *(f"aiida_crucible/{name}" for name in (*AIIDA_SIDE, "nodes", "analysis", "compat")),
    *(f"crucible_engine/{name}" for name in ("job", "tasks", "families", "wire")),
)


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", draw_all)
    return {"parallel_read_safe": True}


def draw_all(_app: Any = None) -> None:
    """Draw every figure."""
    mpl.rcParams["svg.hashsalt"] = "aiida-crucible"
    FOLDER.mkdir(parents=True, exist_ok=True)
    for draw in (house, noise_floor, score, exact_restarts):
        draw().savefig(FOLDER / f"{draw.__name__.replace('_', '-')}.svg", metadata={"Date": None})


def house() -> Figure:
    """Draw which folder imports which: a matrix of the numbers of import statements."""
    counts = Counter(pair for path in SOURCE.rglob("*.py") for pair in _imports(path))
    values = np.array([[counts[importer, imported] for imported in ROOMS] for importer in ROOMS], dtype=float)
    figure = Figure((7.5, 6.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.where(values > 0, np.log10(values + 1), np.nan), cmap="Blues", vmin=0)
    for row, column in zip(*np.nonzero(values), strict=True):
        axes.text(column, row, int(values[row, column]), ha="center", va="center", fontsize=7)
    labels = [f"{room.partition('/')[2]}" for room in ROOMS]
    axes.set_xticks(range(len(ROOMS)), labels, rotation=60, ha="right")
    axes.set_yticks(range(len(ROOMS)), labels)
    border = sum(room.startswith("aiida_crucible") for room in ROOMS) - 0.5
    for line in (axes.axhline, axes.axvline):
        line(border, color="black", linewidth=1)
    axes.set(xlabel="is imported by a row", ylabel="imports")
    return figure


def _imports(path: Path) -> list[tuple[str, str]]:
    room = _room(path.relative_to(SOURCE).as_posix())
    named = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named.append(node.module)
        elif isinstance(node, ast.Import):
            named += [alias.name for alias in node.names]
    found = [_room(name.replace(".", "/")) for name in named]
    return [(room, other) for other in found if room and other and other != room]


def _room(path: str) -> str | None:
    name = "/".join(path.split("/")[:2])
    return name if name in ROOMS else None


def noise_floor() -> Figure:
    """Draw what noise on the forces does to the lowest mode, and to the frequency that can still be told from zero."""
    settings = validate_settings({"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4], "plusminus": "always"})
    crystal = bulk("Cu", a=LATTICE)
    _, plan = prepare(crystal, settings)
    clean = np.array([_forces(atoms) for atoms in plan.structures()])
    levels = np.logspace(-4, -1, 13)
    lowest, resolvable, verdicts = [], [], []
    for index, level in enumerate(levels):
        noise = np.random.default_rng(index).normal(scale=level, size=clean.shape)
        verdict = solve(crystal, settings, clean + noise)[2]["verdict"]
        lowest.append(verdict["frequency"])
        resolvable.append(verdict["resolvable_frequency"])
        verdicts.append(verdict["verdict"])
    figure = Figure((6.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(levels, -np.array(resolvable), resolvable, color="0.88", label="the sign cannot be told")
    for verdict, colour in (("stable", "tab:blue"), ("cannot-tell", "tab:orange"), ("imaginary", "tab:red")):
        chosen = [verdict == each for each in verdicts]
        axes.plot(levels[chosen], np.array(lowest)[chosen], "o", color=colour, label=f"verdict: {verdict}")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="noise on the forces (eV/Å)", ylabel="mode that decides (THz)")
    axes.legend(frameon=False)
    return figure


def score() -> Figure:
    """Draw σ against temperature: forces of molecular dynamics beside those of harmonic force constants."""
    settings = validate_settings({"supercell_matrix": [[-2, 2, 2], [2, -2, 2], [2, 2, -2]]})
    phonon, plan = prepare(bulk("Cu", a=LATTICE), settings)
    solve_force_constants(phonon, plan.sets[0], plan.split(np.array([_forces(a) for a in plan.structures()])).sets[0])
    supercell = plan.supercell
    constants = _full(phonon)
    groups = crystal_groups(list(supercell.symbols), ["Cu"] * len(supercell))
    temperatures, found = (100, 300, 600, 900), []
    for temperature in temperatures:
        moved, forces = _run_hot(supercell, temperature)
        left = forces + np.einsum("ijab,tjb->tia", constants, moved)
        flat = [each.reshape(len(each), -1) for each in (left, forces)]
        found.append(time_averaged([sum_forces([tuple(flat)], groups)]))
    figure = Figure((6.5, 4), layout="constrained")
    axes = figure.subplots()
    values, errors = [each.value for each in found], [2 * each.standard_error for each in found]
    axes.errorbar(temperatures, values, yerr=errors, fmt="o-", color="tab:blue", capsize=3)
    for border, name in ((0.5, "weakly anharmonic below"), (1.0, "unstable above")):
        axes.axhline(border, color="0.6", linestyle="--", linewidth=0.8)
        axes.text(temperatures[0], border + 0.02, name, color="0.4", fontsize=8)
    axes.set(xlabel="temperature (K)", ylabel="σ", ylim=(0, 1.15))
    return figure


def _full(phonon: Any) -> np.ndarray:
    values = phonon.force_constants
    return values if values.shape[0] == values.shape[1] else compact_fc_to_full_fc(phonon.primitive, values)


def _run_hot(supercell: Atoms, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Return displacements (Å) and forces (eV/Å) of frames, shape [n_frames, n_atoms, 3] each."""
    atoms = supercell.copy()
    atoms.calc = EMT()
    random = np.random.default_rng(int(temperature))
    heat = {"temperature_K": temperature, "friction": 0.02 / units.fs, "rng": random, "fixcm": False}
    dynamics = Langevin(atoms, 4 * units.fs, **heat)
    moved, forces = [], []
    for frame in range(60):
        dynamics.run(5)
        if frame >= 20:
            displaced = atoms.positions - supercell.positions
            moved.append(displaced - displaced.mean(axis=0))
            forces.append(atoms.get_forces())
    return np.array(moved), np.array(forces)


def exact_restarts() -> Figure:
    """Draw how far a run that was interrupted is from the run that was not, with and without the thermostat's state."""
    shared = {"temperatures": [300.0], "steps": 400, "ensemble": "nvt-nose-hoover-chain", "time_step": 2.0}
    settings = Settings(**validate_parameters("dynamics", shared))
    whole = _continued(settings, "never interrupted")
    figure = Figure((6.5, 4), layout="constrained")
    axes = figure.subplots()
    times = np.arange(400) * 2e-3
    for way, colour in (("positions and velocities alone", "tab:red"), ("all that the integrator keeps", "tab:blue")):
        axes.plot(times, np.abs(_continued(settings, way) - whole), color=colour, label=f"restarted with {way}")
    axes.axvline(times[200], color="0.6", linestyle="--", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=1e-10)
    axes.set(xlabel="time (ps)", ylabel="difference in temperature (K)", ylim=(-1e-11, None))
    axes.legend(frameon=False)
    return figure


def _continued(settings: Settings, way: str) -> np.ndarray:
    """Return the temperatures (K) of a run that is stopped halfway and taken up again."""
    atoms = bulk("Cu", a=LATTICE, cubic=True) * (2, 2, 2)
    atoms.set_velocities(np.random.default_rng(0).normal(scale=0.03, size=(len(atoms), 3)))
    integrator, found = integrator_of(settings), []
    atoms.calc = EMT()
    dynamics = integrator.make(atoms, settings, 300.0, np.random.default_rng(1))
    for step in range(settings.steps):
        if step == settings.steps // 2:
            # ASE's EMT remembers its list of neighbours: as in a run of ours, it is made anew at each checkpoint.
            atoms.calc = EMT()
        if step == settings.steps // 2 and way != "never interrupted":
            state = read_state(dynamics, integrator)
            atoms = Atoms(atoms.symbols, atoms.positions, momenta=atoms.get_momenta(), cell=atoms.cell, pbc=True)
            atoms.calc = EMT()
            dynamics = integrator.make(atoms, settings, 300.0, np.random.default_rng(1))
            if way.startswith("all"):
                write_state(dynamics, state)
        dynamics.run(1)
        found.append(atoms.get_temperature())
    return np.array(found)


def _forces(atoms: Atoms) -> np.ndarray:
    atoms = atoms.copy()
    atoms.calc = EMT()
    return np.asarray(atoms.get_forces())


if __name__ == "__main__":
    draw_all()
