"""What the adapter of PET does with models of metatomic's, good and unsuited; runs in its environment.

    python pet_models.py FOLDER REPORT.json

A PET with an ensemble is trained in the folder; the report has what each attempt said, see ``main``.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pet_springs
import torch
from ase.build import bulk, fcc111, molecule
from refusals import said

from crucible_engine.families.load import load_model
from crucible_engine.families.pet import conformance
from crucible_engine.wire.schema import ModelReference

TRAINING, VALIDATION, HELD_OUT = range(40), range(40, 60), range(1000, 1060)
EPOCHS = 60
STEP = 1e-4


def load(path, dtype="float64", trusted=True, name=None, device="cpu", **settings):
    where = {"name": name} if name else {"checkpoint": str(path)}
    return load_model(ModelReference("pet", dtype=dtype, settings=settings, trust_pickle=trusted, **where), device)


def refusals(folder, report):
    """Try models that are no potentials of the kind that is needed, and settings that do not suit a good one."""
    good = pet_springs.write(folder / "good.pt")
    faults = {
        "no energy": {"outputs": ["mtt::dos"]},
        "only variants": {"outputs": ["energy/pbe", "energy/twice"]},
        "no unit of length": {"length_unit": ""},
        "no unit of energy": {"energy_unit": ""},
        "charge": {"fault": "charge"},
        "no gradient": {"fault": "no gradient"},
        "no elements": {"atomic_types": [-1, 29]},
        "another device": {"devices": ["cuda"]},
    }
    for what, change in faults.items():
        path = pet_springs.write(folder / "faulty.pt", **change)
        report[what] = said(lambda path=path: load(path))
    single = pet_springs.write(folder / "single.pt", fault="one precision", dtype="float32")
    load(single, dtype="float32")
    report["another precision"] = said(lambda: load(single))
    report["another variant"] = said(lambda: load(good, variant="pbe"))
    report["too many members"] = said(lambda: load(good, ensemble=4))
    report["one member"] = said(lambda: load(good, ensemble=1))
    report["members of nothing"] = said(
        lambda: load(pet_springs.write(folder / "bare.pt", outputs=["energy"]), ensemble=2)
    )
    report["untrusted"] = said(lambda: load(good, trusted=False))
    report["gold"] = said(lambda: load(good).evaluate_batch([bulk("Au")]))
    report["by name"] = said(lambda: load(None, name="pet-mad-s-v1.6.0"))
    report["by name, members of nothing"] = said(lambda: load(None, name="pet-omat-s-v1.0.0", ensemble=4))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "linear.pt")
    report["another program"] = said(lambda: load(folder / "linear.pt"))
    torch.save({"model": torch.zeros(2)}, folder / "plain.pt")
    report["plain tensors"] = said(lambda: load(folder / "plain.pt"))
    whole = good.read_bytes()
    for part in (1, 4, 7):
        (folder / "cut.pt").write_bytes(whole[: part * len(whole) // 8])
        report[f"truncated to {part}/8"] = said(lambda: load(folder / "cut.pt"))


def units(folder, report):
    """Compare the same potential in several units, with what its formula says, and with its other outputs."""
    crystals = conformance.labelled_frames(range(2))
    models = {
        unit: load(pet_springs.write(folder / "units.pt", *unit), ensemble=3)
        for unit in (("angstrom", "eV"), ("nm", "eV"), ("angstrom", "kcal/mol"), ("nm", "kcal/mol"))
    }
    answers = {unit: model.evaluate_batch(crystals) for unit, model in models.items()}
    wanted = answers["angstrom", "eV"]
    distances = [atoms.get_all_distances(mic=False) for atoms in crystals]
    assert all(len(matrix) == 4 for matrix in distances)
    report["formula"] = max(abs(one.energy - formula(atoms)) for one, atoms in zip(wanted, crystals, strict=True))
    report["units"] = max(
        largest_difference(one, other) for found in answers.values() for one, other in zip(found, wanted, strict=True)
    )
    outputs = ["energy", "energy/twice", "non_conservative_force"]
    twice = load(pet_springs.write(folder / "variants.pt", outputs=outputs), variant="twice").evaluate_batch(crystals)
    report["variant"] = max(
        float(np.abs(one.forces - 2 * other.forces).max()) for one, other in zip(twice, wanted, strict=True)
    )
    report["members"] = max(
        float(np.abs(each.ensemble.forces - factor[:, None, None] * each.forces).max())
        for each in wanted
        for factor in [np.array(pet_springs.STRENGTHS) - np.mean(pet_springs.STRENGTHS) + 1]
    )


def formula(atoms):
    """Return the energy of the pair potential, eV, by sums over images."""
    from ase.neighborlist import neighbor_list

    distances = neighbor_list("d", atoms, pet_springs.CUTOFF)
    return float(((1 + np.cos(np.pi * distances / pet_springs.CUTOFF)) ** 2).sum() / 2)


def largest_difference(one, other):
    parts = [(one.energy, other.energy), (one.forces, other.forces), (one.stress, other.stress)]
    if one.ensemble is not None:
        parts += [
            (getattr(one.ensemble, part), getattr(other.ensemble, part)) for part in ("energies", "forces", "stresses")
        ]
    return max(float(np.abs(np.subtract(*part)).max()) for part in parts)


def geometry(model, report):
    """Turn a cell's hand, and take away its images."""
    atoms = conformance.labelled_frames(range(1))[0]
    other = atoms.copy()
    other.set_cell(atoms.cell[[1, 0, 2]])
    slab = fcc111("Cu", (1, 1, 3), vacuum=8.0)
    slab.rattle(0.05, seed=1)
    tilted = slab.copy()
    tilted.pbc = True
    boxed = slab.copy()
    boxed.pbc = [True, True, False]
    right, left, flat, crystal = model.evaluate_batch([atoms, other, boxed, tilted])
    report["left-handed"] = largest_difference(right, left)
    report["slab"] = float(np.abs(flat.forces - crystal.forces).max())
    pair = molecule("H2")
    pair.numbers[:] = 29
    report["molecule"] = bool(np.isfinite(model.evaluate_batch([pair])[0].forces).all())


def members(path, report):
    """Compare members with the mean, with each other, and their forces with differences of their energies."""
    whole, some, none = load(path, ensemble=16), load(path, ensemble=4), load(path)
    atoms = conformance.labelled_frames(range(3, 4))[0]
    (one,), (few,), (bare,) = (model.evaluate_batch([atoms]) for model in (whole, some, none))
    ensemble = one.ensemble
    report["sizes"] = [whole.n_members, some.n_members, none.n_members, none.ensemble_size]
    report["shapes"] = [list(part.shape) for part in (ensemble.energies, ensemble.forces, ensemble.stresses)]
    report["mean"] = max(
        float(np.abs(found.mean(axis=0) - wanted).max())
        for answer in (one, few)
        for found, wanted in (
            (answer.ensemble.energies, bare.energy),
            (answer.ensemble.forces, bare.forces),
            (answer.ensemble.stresses, bare.stress),
        )
    )
    report["first of many"] = float(np.abs(np.diff(few.ensemble.energies) - np.diff(ensemble.energies[:4])).max())
    report["no members in the calculator"] = whole.calculator().model.n_members
    moved = [atoms.copy() for _ in range(2)]
    strained = [atoms.copy() for _ in range(2)]
    for sign, image, stretched in zip((1, -1), moved, strained, strict=True):
        image.positions[1, 2] += sign * STEP
        stretched.set_cell(atoms.cell.array @ (np.eye(3) + sign * STEP * np.diag([1, 0, 0])), scale_atoms=True)
    up, down, wide, narrow = (each.ensemble.energies for each in whole.evaluate_batch([*moved, *strained]))
    report["forces of members"] = float(np.abs(ensemble.forces[:, 1, 2] + (up - down) / (2 * STEP)).max())
    slopes = (wide - narrow) / (2 * STEP) / atoms.get_volume()
    report["stresses of members"] = float(np.abs(ensemble.stresses[:, 0] - slopes).max())
    report["spread"] = float(ensemble.energies.std(ddof=1))


def coverage(model, report):
    """Say how often an error is within two standard deviations of the members, on frames that were left out."""
    frames = conformance.labelled_frames(HELD_OUT)
    answers = model.evaluate_batch(frames)
    for what, key in (("energies", "energy"), ("forces", "forces")):
        errors = [
            np.ravel(
                getattr(answer, key) - (atoms.info["emt_energy"] if key == "energy" else atoms.arrays["emt_forces"])
            )
            for answer, atoms in zip(answers, frames, strict=True)
        ]
        spreads = [np.ravel(getattr(answer.ensemble, what).std(axis=0, ddof=1)) for answer in answers]
        errors, spreads = np.concatenate(errors), np.concatenate(spreads)
        report[f"coverage of {what}"] = float(np.mean(np.abs(errors) < 2 * spreads))
        report[f"error of {what}"] = float(np.sqrt(np.mean(errors**2)))
        report[f"spread of {what}"] = float(np.sqrt(np.mean(spreads**2)))


def main(folder, report_file):
    folder, report = Path(folder), {}
    refusals(folder, report)
    units(folder, report)
    trained = folder / "trained"
    conformance.train(trained, conformance.labelled_frames(TRAINING), conformance.labelled_frames(VALIDATION), EPOCHS)
    conformance.add_ensemble(trained)
    exported, checkpoint = (load(trained / f"llpr.{ending}", ensemble=16) for ending in ("pt", "ckpt"))
    atoms = conformance.labelled_frames(range(1))
    report["exported and checkpoint"] = largest_difference(
        exported.evaluate_batch(atoms)[0], checkpoint.evaluate_batch(atoms)[0]
    )
    geometry(exported, report)
    members(trained / "llpr.ckpt", report)
    coverage(checkpoint, report)
    Path(report_file).write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(*sys.argv[1:])
