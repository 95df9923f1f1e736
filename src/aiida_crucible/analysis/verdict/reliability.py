"""Can this model be trusted with this material? One answer, reason and evidence for each question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiida_crucible.analysis.transitions.records import Kind
from aiida_crucible.analysis.verdict.answers import CANNOT_TELL, NO, NOT_ASKED, YES, Answer
from aiida_crucible.analysis.verdict.expectations import KNOWN, check_known
from aiida_crucible.analysis.verdict.spread import Resolution, doubts_of, in_words, within
from crucible_engine.wire.rules import Parameter, ParameterError, complete, normalise, shown, suggestion

CRYSTAL_TRANSITIONS = (Kind.FIRST_ORDER.value, Kind.CONTINUOUS.value, Kind.UNDETERMINED_ORDER.value)

MAIN = "structure"
"""Name of the phase in question; what competes with it has names of its own."""

THRESHOLDS: dict[str, Parameter] = {
    "lattice_tolerance": Parameter(float, 0.02, "relative deviation from the reference that is allowed", 0.0, 1.0),
    "energy_resolution": Parameter(
        float, 0.001, "energies nearer to each other are a tie, eV a formula unit", 0.0, 10.0
    ),
    "transition_tolerance": Parameter(
        float, 0.1, "relative deviation of a transition temperature from the reference that is allowed", 0.0, 1.0
    ),
}

LENGTH = Parameter(float, 1.0, "Å", 1.0, 100.0)
ANGLE = Parameter(float, 90.0, "degrees", 0.0, 180.0, exclusive=True)
LATTICE: dict[str, Parameter] = {
    **dict.fromkeys(("a", "b", "c"), LENGTH),
    **dict.fromkeys(("alpha", "beta", "gamma"), ANGLE),
    "c_over_a": Parameter(float, 1.0, "a ratio", 0.01, 100.0),
    "volume": Parameter(float, 1.0, "Å³ a formula unit", 1.0, 1e5),
}
ENERGY_DIFFERENCE = Parameter(float, 0.0, "eV a formula unit")
TRANSITION_TEMPERATURE = Parameter(float, 300.0, "K", 0.0, 1e5, exclusive=True)
REFERENCE: dict[str, tuple[type, ...]] = {
    "source": (str,),
    "lattice": (Mapping,),
    "energy_differences": (Mapping,),
    "transition_temperature": (float, int),
}
EXAMPLES = {"lattice": "a dict of numbers, e.g. {a: 3.9}", "energy_differences": "a dict of numbers, e.g. {cubic: 0.2}"}
WANTED = {"source": "text", "transition_temperature": "a number of K"}


def validate_thresholds(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return thresholds complete with defaults.

    :raises ValueError: one line that names the threshold and what is allowed.
    """
    return complete("reliability", THRESHOLDS, given)


def check_reference(reference: Mapping[str, Any], phases: set[str]) -> None:
    """Refuse a reference that names what is not computed.

    :param reference: ``source`` (text), ``lattice`` (any of :data:`LATTICE`, Å and degrees, of the main phase),
        ``energy_differences`` (eV a formula unit above the main phase, by the names of the competing phases),
        ``transition_temperature`` (K, of the transition from the main phase to another crystal), and what is known of
        the main phase, see :data:`aiida_crucible.analysis.verdict.expectations.KNOWN`.
    :raises ValueError: one line that says which name was meant, or which value is no such number.
    """
    for part, value in reference.items():
        if part not in REFERENCE and part not in KNOWN:
            raise ParameterError(f"the reference has no {part!r}: {suggestion(part, [*REFERENCE, *KNOWN])}")
        if part in KNOWN:
            continue
        if not isinstance(value, REFERENCE[part]):
            raise ParameterError(
                f"the reference's {part} is {shown(value)}: give {WANTED.get(part, EXAMPLES.get(part))}"
            )
    for name, value in reference.get("lattice", {}).items():
        if name not in LATTICE:
            raise ParameterError(f"the reference's lattice has no {name!r}: {suggestion(name, list(LATTICE))}")
        normalise(f"the reference's lattice parameter {name!r}", LATTICE[name], value)
    for name, value in reference.get("energy_differences", {}).items():
        if name not in phases:
            near = (
                suggestion(name, sorted(phases))
                if phases
                else "there is none, give it as one (--phase) or leave it out"
            )
            raise ParameterError(f"the reference's energy difference {name!r} is of no competing phase: {near}")
        normalise(f"the reference's energy difference {name!r}", ENERGY_DIFFERENCE, value)
    if "transition_temperature" in reference:
        value = reference["transition_temperature"]
        normalise("the reference's transition_temperature", TRANSITION_TEMPERATURE, value)
    check_known(reference)


def assess(
    verification: Mapping[str, Any],
    relaxation: Mapping[str, Any],
    phonons: Mapping[str, Any] | None,
    reference: Mapping[str, Any] | None,
    thresholds: Mapping[str, Any],
    *,
    sweep: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the answers, by the questions' short names, as plain data.

    :param verification: ``results`` of ``crucible.verify``.
    :param relaxation: ``summary`` of ``crucible.relax`` for all phases.
    :param phonons: ``summary`` of ``crucible.phonon`` for the main phase; ``None`` if it could not be relaxed.
    :param reference: see :func:`check_reference`.
    :param sweep: ``summary`` of ``crucible.sweep`` for the relaxed main phase; ``None`` if there is none: finite
        temperature is no question then.
    """
    answers = {
        "verification": answer_verification(verification),
        "lattice": _lattice(relaxation, reference or {}, thresholds),
        "energies": _energies(relaxation, reference or {}, thresholds),
        "stability": _stability(relaxation, phonons),
    }
    if sweep is not None:
        answers["finite_temperature"] = finite_temperature(sweep)
        answers["averages"] = Answer(**sweep["averages"])
        answers["transitions"] = transition(sweep, reference or {}, thresholds["transition_tolerance"])
    return {name: asdict(answer) for name, answer in answers.items()}


def answer_verification(results: Mapping[str, Any]) -> Answer:
    """Return whether the model passed its verification.

    :param results: of it.
    """
    question = "Does the model pass its verification in this environment?"
    faults = results["summary"]["faults"]
    if results["outcome"] == "passed":
        return Answer(question, YES, "every check passed", {"faults": []})
    return Answer(question, NO, f"verification found: {', '.join(faults)}", {"faults": list(faults)})


def _lattice(relaxation: Mapping[str, Any], reference: Mapping[str, Any], thresholds: Mapping[str, Any]) -> Answer:
    tolerance = thresholds["lattice_tolerance"]
    question = f"Do the lattice parameters agree with the reference within {100 * tolerance:g} %?"
    main = relaxation["structures"][MAIN]
    evidence: dict[str, Any] = {"computed": main["lattice"], "source": reference.get("source")}
    if main["outcome"] != "converged":
        return Answer(question, CANNOT_TELL, f"the structure did not relax: {main['outcome']}", evidence)
    if not reference.get("lattice"):
        return Answer(question, CANNOT_TELL, "there is no reference for the lattice", evidence)
    deviations = {name: main["lattice"][name] / value - 1 for name, value in reference["lattice"].items()}
    worst = max(deviations, key=lambda name: abs(deviations[name]))
    evidence |= {"reference": dict(reference["lattice"]), "deviations": deviations}
    compared = f"{main['lattice'][worst]:.4g} against {reference['lattice'][worst]:.4g}"
    reason = f"{in_words(worst)} deviates most: {compared} ({100 * deviations[worst]:+.1f} %)"
    if "ensemble" not in main:
        return Answer(question, YES if abs(deviations[worst]) <= tolerance else NO, reason, evidence)
    doubts = doubts_of(main["ensemble"], reference["lattice"])
    answer, reason = within(deviations, tolerance, doubts, reason)
    return Answer(question, answer, reason, {**evidence, "doubts": doubts})


def _energies(relaxation: Mapping[str, Any], reference: Mapping[str, Any], thresholds: Mapping[str, Any]) -> Answer:
    wanted = reference.get("energy_differences", {})
    question = (
        "Is the order of the phases' energies the reference's?" if wanted else "Is the structure the lowest in energy?"
    )
    phases = relaxation["structures"]
    if len(phases) == 1:
        return Answer(question, CANNOT_TELL, "no competing phase was given")
    unfinished = [f"{name} ({phase['outcome']})" for name, phase in phases.items() if phase["outcome"] != "converged"]
    if unfinished:
        return Answer(question, CANNOT_TELL, f"phases did not relax: {', '.join(unfinished)}")
    base = phases[MAIN]["energy_per_formula_unit"]
    found = {name: phase["energy_per_formula_unit"] - base for name, phase in phases.items() if name != MAIN}
    evidence = {"differences": found, "reference": dict(wanted), "source": reference.get("source")}
    compared = {name: found[name] for name in wanted} if wanted else found
    resolution = Resolution(thresholds["energy_resolution"], phases)
    answer, reason = _compare_order({MAIN: 0.0, **compared}, {MAIN: 0.0, **wanted}, resolution)
    if resolution.has_members:
        evidence["doubts"] = {name: resolution.doubt(MAIN, name) for name in compared}
    return Answer(question, answer, reason, evidence)


def _compare_order(found: dict[str, float], wanted: dict[str, float], resolution: Resolution) -> tuple[str, str]:
    """Return the answer and its reason; without a reference, the main phase alone is asked to be the lowest."""
    order = sorted(found, key=lambda name: found[name])
    said = " < ".join(f"{name} ({found[name]:+.3f})" for name in order) + " eV a formula unit"
    first = order if len(wanted) > 1 else order[:1]
    pairs = [(one, other) for one in first for other in order if one != other]
    ties = [pair for pair in pairs if abs(found[pair[0]] - found[pair[1]]) < resolution.of(*pair)]
    if ties:
        return CANNOT_TELL, f"{ties[0][0]} and {ties[0][1]} are within {resolution.in_words(*ties[0])}: {said}"
    expected = sorted(wanted, key=lambda name: wanted[name])
    if order[: len(first)] == (expected if len(wanted) > 1 else [MAIN]):
        return YES, said
    return NO, said if len(wanted) == 1 else f"{said}, where the reference has {' < '.join(expected)}"


def _stability(relaxation: Mapping[str, Any], phonons: Mapping[str, Any] | None) -> Answer:
    question = "Is the structure dynamically stable?"
    if phonons is None:
        outcome = relaxation["structures"][MAIN]["outcome"]
        return Answer(question, CANNOT_TELL, f"the structure did not relax: {outcome}")
    if "verdict" not in phonons:
        return Answer(question, CANNOT_TELL, phonons["reason"], {"outcome": phonons["outcome"]})
    verdict = phonons["verdict"]
    answer = {"stable": YES, "imaginary": NO}.get(verdict["verdict"], CANNOT_TELL)
    evidence = {
        **{key: verdict[key] for key in ("qpoint", "branch", "frequency", "resolvable_frequency")},
        "force_noise": phonons["force_noise"]["floor"],
        "lowest_mesh_frequency": phonons["lowest_mesh_frequency"],
        "remark": verdict["remark"],
    }
    return Answer(question, answer, verdict["reason"], evidence)


def finite_temperature(sweep: Mapping[str, Any]) -> Answer:
    """Return whether the crystal survives at every temperature, and for how long.

    :param sweep: ``summary`` of ``crucible.sweep``.
    """
    stability = sweep["stability"]
    evidence = {**stability["evidence"], "runs": sweep["runs"]["reason"], "averages": sweep["averages"]["reason"]}
    return Answer(
        "Is the crystal stable over the range of temperatures?", stability["answer"], stability["reason"], evidence
    )


def transition(sweep: Mapping[str, Any], reference: Mapping[str, Any], tolerance: float) -> Answer:
    """Return whether the transition is the reference's, or, without a reference, whether there is one.

    The transition nearest to the reference's temperature counts. The answer is yes where its whole interval agrees, no
    where none of it does, and open where a part does.

    :param sweep: ``summary`` of ``crucible.sweep``.
    :param reference: with ``transition_temperature`` (K), or without.
    :param tolerance: relative deviation from it that is allowed.
    """
    report = sweep["transitions"]["evidence"]
    found = [item for item in report["transitions"] if item["kind"] in CRYSTAL_TRANSITIONS]
    wanted = reference.get("transition_temperature")
    evidence = {"transitions": report["transitions"], "reference": wanted, "source": reference.get("source")}
    if wanted is None:
        return _whether_any(sweep["transitions"], found, evidence)
    question = f"Is the transition temperature the reference's within {100 * tolerance:g} %?"
    if not found:
        answer = NO if _was_passed(sweep["stability"]["evidence"], report, wanted) else CANNOT_TELL
        return Answer(question, answer, f"{wanted:g} K was expected, but: {report['verdict']}", evidence)
    nearest = min(found, key=lambda item: abs(item["temperature"] - wanted))
    low, high = nearest["interval"]
    answer = _agreement(low, high, (1 - tolerance) * wanted, (1 + tolerance) * wanted)
    reason = f"{_phrase(nearest)} against {wanted:g} K ({100 * (nearest['temperature'] / wanted - 1):+.0f} %)"
    return Answer(question, answer, reason, evidence)


def _whether_any(told: Mapping[str, Any], found: list[Mapping[str, Any]], evidence: dict[str, Any]) -> Answer:
    question = "Does the crystal become another one in the range of temperatures?"
    report = told["evidence"]
    if found:
        return Answer(question, YES, "; ".join(_phrase(item) for item in found), evidence)
    if told["answer"] == NOT_ASKED:
        return Answer(question, NOT_ASKED, told["reason"], evidence)
    if report["doubts"]:
        return Answer(question, CANNOT_TELL, "; ".join(report["doubts"]), evidence)
    return Answer(question, NO, report["verdict"], evidence)


def _was_passed(stability: Mapping[str, Any], report: Mapping[str, Any], wanted: float) -> bool:
    """Return whether the sweep went past a temperature without the transition there, or melted the crystal before.

    A run that failed says nothing of either.
    """
    kept, lost = stability["crystal_temperatures"], stability["lost_temperatures"]
    if any(temperature <= wanted for temperature in lost):
        return True
    went_past = bool(kept) and min(kept) <= wanted <= max(kept)
    return went_past and not report["doubts"]


def _agreement(low: float | None, high: float | None, least: float, most: float) -> str:
    """Compare an interval, ``None`` where it is open, with the range that is allowed."""
    if (high is not None and high < least) or (low is not None and low > most):
        return NO
    return YES if low is not None and high is not None and least <= low and high <= most else CANNOT_TELL


def _phrase(item: Mapping[str, Any]) -> str:
    low, high = ("…" if end is None else f"{end:.0f}" for end in item["interval"])
    return f"{item['kind']} at {item['temperature']:.0f} K ({low} to {high} K)"
