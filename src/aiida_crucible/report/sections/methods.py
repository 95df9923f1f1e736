"""How it was done, in words that a paper can take over, with what to cite; and how to do it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida.orm import Dict, ProcessNode

from aiida_crucible.nodes.model import ModelData
from aiida_crucible.references.published import pto_test
from aiida_crucible.report.citations import AIIDA, bibliography, dois_of_model
from aiida_crucible.report.findings import Finding, Job
from aiida_crucible.report.links import inputs_of
from aiida_crucible.report.page.document import Block, Listing, Prose, Section, Table

ENSEMBLES = {
    "nve": "constant energy and volume (velocity Verlet)",
    "nvt-langevin": "constant volume with a Langevin thermostat",
    "nvt-andersen": "constant volume with an Andersen thermostat",
    "nvt-nose-hoover": "constant volume with a Nosé–Hoover chain",
    "nvt-bussi": "constant volume with stochastic velocity rescaling",
    "npt-melchionna": "constant pressure after Melchionna",
    "npt-mtk": "constant pressure after Martyna, Tobias and Klein",
    "npt-berendsen": "constant pressure after Berendsen",
}
CITED = {
    "phonon": ("phonopy", "symfc", "seekpath"),
    "equation_of_state": ("birch",),
    "elastic": ("elastic-stability", "universal-anisotropy"),
    "qha": ("phonopy", "quasi-harmonic"),
    "conductivity": ("phonopy", "phono3py"),
    "anharmonicity": ("anharmonicity",),
    "configuration_space": ("dscribe", "rematch"),
}
"""Beside what is always cited, by part of the findings."""
DOUBLE_PEROVSKITES = "10.1039/d5cp04693a"
DIGITS = 12
"""Of a digest that are shown in a sentence."""


def methods(findings: Sequence[Finding]) -> Section:
    """Return paragraphs, models, jobs and BibTeX."""
    models = list({model.uuid: model for finding in findings for model in _models(finding)}.values())
    sentences = [of_model(model) for model in models]
    sentences += dict.fromkeys(sentence for finding in findings for sentence in _sentences(finding))
    sentences.append(of_software([finding.node for finding in findings]))
    blocks: list[Block] = [Prose(" ".join(sentences))]
    tables = [_model_table(models)] if models else []
    listing = Listing("To cite", bibliography(_keys(findings), _dois(findings, models)), "references.bib")
    tables += [_environments(findings), _jobs(findings)]
    return Section("methods", "Methods", [*blocks, *tables, listing])


def reproduce(findings: Sequence[Finding]) -> Section:
    """Return the commands that take up the archive, look at it, and run the same again."""
    uuids = " ".join(finding.node.uuid for finding in findings)
    lines = [
        "# take up an archive of these results, and make this page again",
        "verdi archive import ARCHIVE.aiida",
        f"aiida-crucible report {uuids}",
        "# look at where a number comes from",
        f"verdi process status {findings[0].node.uuid}",
    ]
    families = dict.fromkeys(model.family for finding in findings for model in _models(finding))
    if families:
        lines += ["# the environments of the models, from their locks"]
        lines += [f"aiida-crucible env create {family}" for family in families]
    text = (
        "Everything on this page is read from nodes of AiiDA. With the same environments (their locks' digests stand "
        "above) on the same kind of processor the same numbers follow; on another one they agree within the noise of "
        "the model."
    )
    again = (
        "from aiida import load_profile, orm\nfrom aiida.engine import run\n\nload_profile()\n"
        + "\n".join(f'run(orm.load_node("{finding.node.uuid}").get_builder_restart())' for finding in findings)
        + "\n"
    )
    commands = Listing("In a terminal", "\n".join(lines) + "\n")
    return Section(
        "reproduce", "How to reproduce it", [Prose(text), commands, Listing("Run the same again, in Python", again)]
    )


def _models(finding: Finding) -> list[ModelData]:
    if finding.model is not None:
        return [finding.model]
    links = inputs_of([job.node for job in finding.jobs])
    return list({link.data.uuid: link.data for link in links if isinstance(link.data, ModelData)}.values())


def of_model(model: ModelData) -> str:
    """Return in a sentence whose forces they are, and what the potential learnt from."""
    theory = f", trained on {model.training_set}" if model.training_set else ""
    functional = f" ({model.functional}{' + U' if model.hubbard_u else ''})" if model.functional else ""
    digest = f", weights of sha256 {model.sha256[:DIGITS]}…" if model.sha256 else ""
    settings = "".join(f", {name} {value}" for name, value in sorted(model.settings.items()))
    return f"Forces are of {model.title}{theory}{functional}{digest}, in {model.dtype}{settings}."


def _sentences(finding: Finding) -> Iterator[str]:
    relax = _parameters(finding.inputs, "relax", "relax", "parameters")
    if relax:
        kept = " with the space group kept" if relax.get("keep_symmetry") else ""
        what = {"full": "positions and cell", "fixed": "positions"}.get(
            str(relax.get("cell")), f"cell ({relax.get('cell')})"
        )
        yield f"Structures were relaxed ({what}{kept}) by {relax['optimizer']} to forces below {relax['fmax']:g} eV/Å."
    summary = finding.part("phonon").get("summary")
    if isinstance(summary, Dict) and summary.get_dict().get("n_supercells"):
        yield _of_phonons(summary.get_dict())
    sweep = finding.part("sweep")
    if "analysis" in sweep:
        yield from _of_sweep(finding, sweep["analysis"].get_dict())
    if finding.part("anharmonicity").get("scores"):
        yield (
            "Anharmonicity is the ratio σ of the standard deviations of the anharmonic part of the forces and of the "
            "forces over the frames of the runs."
        )
    if finding.kind == "configuration_space":
        yield "Frames were compared by REMatch kernels of SOAP descriptors and mapped by kernel principal components."


def _of_phonons(summary: Mapping[str, Any]) -> str:
    return (
        f"Force constants are of {summary['n_supercells']} supercells of {summary['n_atoms_supercell']} atoms with "
        f"atoms displaced by {summary['displacement']:g} Å, symmetrised by symfc; an imaginary mode counts where it "
        f"exceeds {summary['coverage_factor']:g} standard errors that the noise of the model's forces makes."
    )


def _of_sweep(finding: Finding, analysis: Mapping[str, Any]) -> Iterator[str]:
    inputs = finding.inputs if finding.kind == "sweep" else finding.inputs.get("sweep", {})
    dynamics = _parameters(inputs, "base", "dynamics", "parameters")
    supercell = finding.part("sweep").get("supercell")
    temperatures = sorted(entry["temperature"] for entry in analysis.values())
    if not dynamics or not temperatures:
        return
    atoms = "" if supercell is None else f" of {len(supercell.sites)} atoms"
    ensemble = ENSEMBLES.get(dynamics["ensemble"], dynamics["ensemble"])
    length = dynamics["steps"] * dynamics["time_step"] / 1000
    yield (
        f"Molecular dynamics{atoms} at {', '.join(f'{each:g}' for each in temperatures)} K ran for {length:g} ps each "
        f"({dynamics['steps']} steps of {dynamics['time_step']:g} fs) at {ensemble}; standard errors are of correlated "
        "series, and are believed from 20 independent values on."
    )


def of_software(processes: Sequence[ProcessNode]) -> str:
    """Return in a sentence with which versions of this package processes ran, which need not be today's."""
    stored = [node.base.attributes.get("version", {}) for node in processes]
    versions = sorted({str(each["plugin"]) for each in stored if isinstance(each, Mapping) and each.get("plugin")})
    ran = f" {', '.join(versions)}" if versions else ""
    return (
        f"Everything ran as AiiDA processes of aiida-crucible{ran}, which keep inputs, outputs and environments of "
        "every step."
    )


def _parameters(inputs: Mapping[str, Any], *names: str) -> dict[str, Any]:
    place: Any = inputs
    for name in names:
        place = place.get(name) if isinstance(place, Mapping) else None
    return place.get_dict() if isinstance(place, Dict) else {}


def _model_table(models: Sequence[ModelData]) -> Table:
    rows = [
        [
            model.title, model.family, model.functional or "–", model.training_set or "–", model.dtype,
            model.licence or "–", model.sha256 or "–", model.uuid[:8],
        ]
        for model in models
    ]  # fmt: skip
    header = (
        "model",
        "family",
        "functional",
        "trained on",
        "precision",
        "licence of the weights",
        "sha256",
        "its node",
    )
    return Table("Models", header, rows)


def _environments(findings: Sequence[Finding]) -> Table:
    """Return what ran: packages and devices, each combination once."""
    rows: dict[tuple[str, ...], None] = {}
    for job in (job for finding in findings for job in finding.jobs):
        environment = job.results.get("environment", {})
        if environment:
            named = {"python": environment.get("python"), **environment.get("packages", {})}
            packages = ", ".join(f"{name} {version}" for name, version in named.items() if version)
            rows[_code_of(job), _lock_of(job), packages, str(environment.get("device", ""))] = None
    return Table("Environments", ("code", "digest of the lock", "packages", "device"), [list(row) for row in rows])


def _jobs(findings: Sequence[Finding]) -> Table:
    rows = [[finding.name, *_job(job)] for finding in findings for job in finding.jobs]
    header = ("for", "task", "its node", "code", "threads", "time (s)", "memory (MB)")
    return Table("Jobs", header, rows, (4, 5, 6))


def _job(job: Job) -> list[str]:
    content = job.results
    timings, memory = content.get("timings", {}), content.get("peak_memory")
    threads = (content.get("environment", {}).get("threads") or {}).get("count", "")
    return [
        str(content.get("task") or job.node.process_label), job.node.uuid[:8], _code_of(job), str(threads),
        f"{timings['total']:.1f}" if "total" in timings else "", f"{memory:.0f}" if memory else "",
    ]  # fmt: skip


def _code_of(job: Job) -> str:
    return "" if job.code is None else str(job.code.label)


def _lock_of(job: Job) -> str:
    known = {} if job.code is None else job.code.base.extras.get("crucible_environment", {})
    return str(known.get("lock", "")) if isinstance(known, Mapping) else ""


def _keys(findings: Sequence[Finding]) -> list[str]:
    keys = [*AIIDA, "ase", "spglib"]
    for part, more in CITED.items():
        if any(finding.kind == part or finding.part(part) for finding in findings):
            keys += more
    return keys


def _dois(findings: Sequence[Finding], models: Sequence[ModelData]) -> list[str]:
    dois = [doi for model in models for doi in dois_of_model(model)]
    for finding in findings:
        reference = finding.inputs.get("reference")
        source = str(reference.get_dict().get("source", "")) if isinstance(reference, Dict) else ""
        if " doi " in f" {source}":
            dois.append(source.rpartition("doi ")[2].split()[0].rstrip(".,;"))
        protocol = str(finding.node.base.extras.get("crucible_protocol", ""))
        dois += [pto_test.source()] if protocol.startswith("pto-test") else []
        dois += [DOUBLE_PEROVSKITES] if protocol == "double-perovskites" else []
    return dois
