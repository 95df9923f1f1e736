"""What an export says of its own content: methods, abstract, keywords and references, from the provenance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from aiida.orm import CalcFunctionNode, Dict, ProcessNode, WorkChainNode

from aiida_crucible import __version__
from aiida_crucible.monitoring.words import shortened
from aiida_crucible.nodes.identity import PREFIX, VERDICT
from aiida_crucible.publishing.closure import Closure, is_own
from aiida_crucible.report.citations import AIIDA, dois_of, dois_of_model
from aiida_crucible.report.sections.methods import of_model, of_software
from crucible_engine.families.registry import FAMILIES

OF_TASKS = {
    "relax": "structure relaxation",
    "phonon": "phonons",
    "equation_of_state": "equation of state",
    "elastic": "elastic properties",
    "qha": "thermal expansion",
    "conductivity": "thermal conductivity",
    "sweep": "molecular dynamics",
    "anharmonicity": "anharmonicity",
    "configuration_space": "configuration space",
    "vibrations": "vibrations",
}
SOFTWARE = ("aiida-core", "numpy", "scipy", "ase", "phonopy", "phono3py", "spglib", "symfc", "matplotlib")


def software() -> dict[str, str]:
    """Return the versions of what computes, draws and compares on this side."""
    found = {"aiida-crucible": __version__}
    for name in SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def methods_of(closure: Closure) -> str:
    """Return how it was computed, in sentences."""
    sentences = [of_software(closure.processes)]
    sentences += [of_model(model) for model in closure.models]
    for node in closure.processes:
        about = node.base.extras.all
        words = [f"{node.process_label} of {about[f'{PREFIX}formula']}"] if f"{PREFIX}formula" in about else []
        words = words or [str(node.process_label)]
        if protocol := about.get(f"{PREFIX}protocol"):
            changes = about.get(f"{PREFIX}overrides", "none")
            words.append(f"with the protocol {protocol!r}" + ("" if changes == "none" else f" (changed: {changes})"))
        if temperatures := about.get(f"{PREFIX}temperatures"):
            words.append(f"at {shortened([f'{each:g}' for each in temperatures])} K")
        sentences.append(" ".join(words) + ".")
    tasks = Counter(str(job.process_label) for job in closure.jobs)
    if tasks:
        counted = ", ".join(f"{count} {name}" for name, count in sorted(tasks.items()))
        sentences.append(f"Jobs of the engine: {counted}. Settings of each are inputs of its node.")
    return "\n".join(dict.fromkeys(sentences))


def headlines(closure: Closure) -> list[str]:
    """Return the verdicts of the processes asked for, one line each."""
    found = []
    for node in closure.processes:
        if isinstance(node, WorkChainNode) and VERDICT in node.outputs:
            said = node.outputs[VERDICT]
            if isinstance(said, Dict) and "headline" in said.get_dict():
                found.append(str(said["headline"]))
    return found


def description_of(closure: Closure) -> str:
    """Return an abstract, for a record whose authors gave none."""
    what = ", ".join(dict.fromkeys(node.label or str(node.process_label) for node in closure.processes))
    found = headlines(closure)
    said = f" The verdicts: {'; '.join(found)}." if found else ""
    return (
        "Calculations that test whether machine-learning interatomic potentials can be trusted at finite temperature: "
        f"{what}.{said} The record has the AiiDA archive with the full provenance, a report with its figures and their "
        "numbers, and the environments that ran."
    )


def keywords_of(closure: Closure) -> list[str]:
    """Return words to find the record by."""
    kinds = {node.process_type.rpartition(":")[2].removeprefix("crucible.") for node in _own(closure)}
    words = ["machine-learning interatomic potential", "AiiDA"]
    words += [title for kind, title in OF_TASKS.items() if kind in kinds]
    words += [FAMILIES[model.family].title for model in closure.models if model.family in FAMILIES]
    words += [str(node.base.extras.get(f"{PREFIX}formula")) for node in closure.processes
              if f"{PREFIX}formula" in node.base.extras.all]  # fmt: skip
    return list(dict.fromkeys(words))


def _own(closure: Closure) -> Iterable[ProcessNode]:
    return (node for node in closure.nodes(ProcessNode) if is_own(node) and not isinstance(node, CalcFunctionNode))


def references_of(closure: Closure) -> list[str]:
    """Return the DOIs of models and of AiiDA."""
    found = [doi for model in closure.models for doi in dois_of_model(model)]
    dois = [_doi(each) for each in [*found, *dois_of(AIIDA)]]
    return list(dict.fromkeys(dois))


def _doi(text: str) -> str:
    """Return a reference as an address, where it is a DOI."""
    bare = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:?\s*)", "", text.strip(), flags=re.IGNORECASE)
    return f"https://doi.org/{bare}" if re.fullmatch(r"10\.\d{4,9}/\S+", bare) else text
