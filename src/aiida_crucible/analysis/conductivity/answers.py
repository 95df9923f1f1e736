"""What a lattice thermal conductivity says: whether it is one, whether the mesh is fine enough, and the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aiida_crucible.analysis.conductivity.transport import Array, Transport
from aiida_crucible.analysis.elasticity.comparison import Compared, answer_compared, check_values, finite
from aiida_crucible.analysis.phonons.stability import Verdict
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, YES, Answer
from crucible_engine.wire.rules import Parameter

COMPUTED = "computed"
VALUE = Parameter(float, 1.0, "W/(m K)", 0.0, 1e6, exclusive=True)

REFERENCE: dict[str, Parameter] = {"conductivity": VALUE, "xx": VALUE, "yy": VALUE, "zz": VALUE}
"""What may be known at the temperature of the settings: the mean of the tensor's diagonal, and its entries."""


@dataclass(frozen=True)
class Conductivity:
    """A conductivity with its error.

    :param temperatures: K, [n].
    :param tensor: W/(m K), [n, 3, 3].
    :param errors: its largest difference from those of other meshes, likewise.
    :param fine: what the mesh gave that counts.
    """

    temperatures: Array
    tensor: Array
    errors: Array
    fine: Transport

    def at(self, temperature: float) -> dict[str, tuple[float, float]]:
        """Return by the names of :data:`REFERENCE` values and errors at one of the temperatures."""
        place = int(np.argmin(np.abs(self.temperatures - temperature)))
        tensor, errors = self.tensor[place], self.errors[place]
        told = {name: (float(tensor[i, i]), float(errors[i, i])) for i, name in enumerate(("xx", "yy", "zz"))}
        return {"conductivity": (float(np.trace(tensor) / 3), float(np.trace(errors) / 3)), **told}


def conductivity(fine: Transport, others: Sequence[Transport], settings: Mapping[str, Any]) -> Conductivity:
    """Return the conductivity of a mesh with its largest difference from those of other meshes as its error.

    Two meshes may give the same by chance, several hardly.

    :param others: at least one.
    :param settings: see :mod:`aiida_crucible.analysis.conductivity.settings`.
    """
    errors = np.max([np.abs(fine.conductivity - other.conductivity) for other in others], axis=0)
    return Conductivity(np.array(settings["temperatures"], dtype=float), fine.conductivity, errors, fine)


def check_reference(reference: Mapping[str, Any]) -> None:
    """Refuse a reference of a conductivity that is none, see :data:`REFERENCE`.

    :raises ValueError: one line.
    """
    check_values(reference, REFERENCE)


def no_conductivity(outcome: str, reason: str, phonons: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the summary where there is no conductivity.

    :param outcome: in a word.
    :param reason: in one line.
    :param phonons: the summary of the phonons, where there is one.
    """
    told: dict[str, Any] = {"outcome": outcome, "reason": reason}
    if phonons is not None:
        told["stability"] = asdict(stability(phonons))
    return told


def in_words(mesh: Sequence[int]) -> str:
    """Return a mesh as people write it."""
    return " × ".join(str(number) for number in mesh)


def stability(phonons: Mapping[str, Any], imaginary: tuple[int, float] = (0, 0.0)) -> Answer:
    """Return whether the crystal is dynamically stable, without which its phonons carry no heat.

    :param phonons: the summary of ``crucible.phonon``.
    :param imaginary: modes of the mesh of the conductivity that are imaginary, and the lowest frequency, THz.
    """
    question = "Are all phonons real?"
    answers = {Verdict.STABLE.value: YES, Verdict.IMAGINARY.value: NO}
    answer = answers.get(phonons["outcome"], CANNOT_TELL)
    reason = (phonons.get("verdict") or {}).get("reason") or phonons.get("reason", "")
    count, lowest = imaginary
    if count and answer != NO:
        reason = f"{count} modes of the conductivity's mesh are imaginary, down to {lowest:+.3f} THz ({reason})"
        answer = CANNOT_TELL
    return Answer(question, answer, str(reason), {"imaginary_modes": count, "lowest_frequency": lowest})


def summarise_conductivity(
    found: Conductivity, phonons: Mapping[str, Any], reference: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return outcome, reason, numbers at one temperature with errors and the answers, as plain data.

    :param phonons: the summary of ``crucible.phonon``.
    :param reference: see :data:`REFERENCE`.
    :param settings: see :mod:`aiida_crucible.analysis.conductivity.settings`.
    """
    temperature = settings["temperature"]
    numbers = {} if found.fine.unscattered else found.at(temperature)
    value, error = found.at(temperature)["conductivity"]
    converged = _convergence(found.fine.unscattered, value, error, settings)
    answers = {
        "stability": stability(phonons),
        "convergence": converged,
        "agreement": _agreement(numbers, converged, reference, settings),
    }
    return {
        "outcome": COMPUTED if converged.answer == YES else CANNOT_TELL,
        "reason": converged.reason,
        "temperature": temperature,
        "method": settings["method"],
        "isotopes": settings["isotopes"],
        "values": {name: finite(each) for name, (each, _) in numbers.items()},
        "errors": {name: finite(each) for name, (_, each) in numbers.items()},
        **{name: asdict(answer) for name, answer in answers.items()},
    }


def _convergence(unscattered: int, value: float, error: float, settings: Mapping[str, Any]) -> Answer:
    question = "Is the conductivity that of other meshes too?"
    meshes = [in_words(settings["mesh"]), ", ".join(in_words(mesh) for mesh in settings["other_meshes"])]
    if unscattered:
        reason = f"nothing scatters {unscattered} modes of the mesh of {meshes[0]}, which no crystal has"
        return Answer(question, CANNOT_TELL, f"{reason}: take a larger supercell of the third order, or another mesh")
    if not (np.isfinite(value) and np.isfinite(error) and value > 0):
        return Answer(question, CANNOT_TELL, f"there is none on the mesh of {meshes[0]}: take a finer one")
    told = f"κ is {value:.4g} ± {error:.2g} W/(m K) at {settings['temperature']:g} K"
    reason = f"{told}, on {meshes[0]} wave vectors against {meshes[1]}"
    share = error / value
    evidence = {"relative_change": share, "allowed": settings["mesh_tolerance"]}
    if share <= settings["mesh_tolerance"]:
        return Answer(question, YES, reason, evidence)
    return Answer(question, NO, f"{reason}: it changes by {100 * share:.2g} %, take a finer mesh", evidence)


def _agreement(
    numbers: Mapping[str, tuple[float, float]],
    converged: Answer,
    reference: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Answer:
    question = f"Is the conductivity at {settings['temperature']:g} K that of the reference?"
    names = [name for name in REFERENCE if name in reference]
    if names and converged.answer == CANNOT_TELL:
        return Answer(question, CANNOT_TELL, converged.reason, {"source": reference.get("source")})
    tolerance = settings["conductivity_tolerance"]
    compared = [
        Compared(name, *numbers[name], float(reference[name]), tolerance * abs(reference[name])) for name in names
    ]
    return answer_compared(question, compared, reference)
