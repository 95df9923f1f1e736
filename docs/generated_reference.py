"""Writes the pages of the reference that are taken from the code, so that they cannot drift from it."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import tabulate
from aiida.engine import CalcJob
from generated_wire import wire

from aiida_crucible.analysis.anharmonicity.settings import SETTINGS as ANHARMONICITY
from aiida_crucible.analysis.benchmark.settings import PARAMETERS as BENCHMARK
from aiida_crucible.analysis.comparison.settings import SETTINGS as COMPARISON
from aiida_crucible.analysis.conductivity.settings import CONDUCTIVITY
from aiida_crucible.analysis.dynamics.sweep_settings import SETTINGS as SWEEP
from aiida_crucible.analysis.elasticity.settings import ELASTIC, EQUATION_OF_STATE
from aiida_crucible.analysis.model_tests.settings import SETTINGS as MODEL_TESTS
from aiida_crucible.analysis.phonons.settings import SETTINGS as PHONON
from aiida_crucible.analysis.phonons.vibrations import SETTINGS as VIBRATIONS
from aiida_crucible.analysis.quasi_harmonic.settings import QUASI_HARMONIC
from aiida_crucible.analysis.verdict.reliability import THRESHOLDS
from aiida_crucible.workflows.comparison.settings import SETTINGS as MODEL_COMPARISON
from crucible_engine.families.registry import FAMILIES
from crucible_engine.tasks.dynamics.parameters import ENSEMBLES
from crucible_engine.tasks.parameters import PARAMETERS

FIRST_STATUS = 200
"""Below it are AiiDA's own."""

FOLDER = Path(__file__).parent / "reference" / "generated"


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}


def write_pages(_app: Any = None) -> None:
    """Write every generated page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in {
        "exit-codes": exit_codes(),
        "parameters": parameters(),
        "models": models(),
        "protocols": protocols(),
        "processes": processes(),
        "wire": wire(table),
    }.items():
        (FOLDER / f"{name}.md").write_text(page, encoding="utf-8")


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return tabulate.tabulate(cells, list(header), tablefmt="pipe", disable_numparse=True)


def process_classes() -> dict[str, Any]:
    """Return every process of this package by its entry point."""
    found = [*entry_points(group="aiida.calculations"), *entry_points(group="aiida.workflows")]
    return {point.name: point.load() for point in sorted(found) if point.name.startswith("crucible.")}


def exit_codes() -> str:
    """Return one table for each process: status, label, message and whether the cache forgets it."""
    sections = []
    for name, process in process_classes().items():
        codes = sorted(process.spec().exit_codes.items(), key=lambda item: item[1].status)
        rows = [
            (code.status, f"`{label}`", _message(label, code.message), "yes" if code.invalidates_cache else "no")
            for label, code in codes
            if code.status >= FIRST_STATUS
        ]
        if rows:
            sections.append(f"## `{name}`\n\n" + table(["status", "label", "message", "cache forgets it"], rows))
    return "\n\n".join(sections) + "\n"


def _message(label: str, message: str) -> str:
    """Return a message; one that leaves all to the run's own line gets the label's words."""
    words = label.removeprefix("ERROR_").replace("_", " ").lower()
    return f"{words}: {{detail}}" if message == "{detail}" else message


def parameters() -> str:
    """Return the table of the parameters of each task, of the workflows and of the verdict."""
    sections = []
    tables = {f"crucible.{task}": rules for task, rules in PARAMETERS.items()}
    tables |= {"crucible.phonon": PHONON, "crucible.sweep": SWEEP, "crucible.anharmonicity": ANHARMONICITY}
    tables |= {"crucible.equation_of_state": EQUATION_OF_STATE, "crucible.elastic": ELASTIC}
    tables |= {"crucible.qha": QUASI_HARMONIC, "crucible.conductivity": CONDUCTIVITY}
    tables |= {"crucible.vibrations": VIBRATIONS, "crucible.model_tests": MODEL_TESTS}
    tables |= {"crucible.harmonic_comparison": COMPARISON, "crucible.benchmark": BENCHMARK}
    tables |= {"crucible.reliability (thresholds)": THRESHOLDS, "crucible.comparison": MODEL_COMPARISON}
    for task, rules in tables.items():
        rows = [
            (f"`{name}`", rule.kind.__name__, _default(rule), _range(rule), rule.help) for name, rule in rules.items()
        ]
        sections.append(f"## `{task}`\n\n" + table(["parameter", "kind", "default", "allowed", "what"], rows))
        if task == "crucible.dynamics":
            sections.append("### What each ensemble understands\n\n" + ensembles())
    return "\n\n".join(sections) + "\n"


def ensembles() -> str:
    """Return the table of the parameters that belong to single ensembles, with their defaults there."""
    rows = [
        (f"`{name}`", ", ".join(f"`{key}` {_plain(value)}" for key, value in understood.items()))
        for name, understood in ENSEMBLES.items()
    ]
    return table(["ensemble", "parameters beyond the common ones, with their defaults"], rows)


def _plain(value: Any) -> str:
    return "null" if value is None else f"{value:g}"


def _default(rule: Any) -> str:
    if rule.default is None:
        return "`null`"
    return f"`{str(rule.default).lower() if rule.kind is bool else rule.default}`"


def _range(rule: Any) -> str:
    if rule.choices:
        return ", ".join(f"`{choice}`" for choice in rule.choices)
    low = "" if rule.minimum is None else f"{'>' if rule.exclusive else '≥'} {rule.minimum:g}"
    high = "" if rule.maximum is None else f"≤ {rule.maximum:g}"
    return ", ".join(part for part in (low, high) if part)


def models() -> str:
    """Return what is known of each model family and of its released weights."""
    sections = []
    for family in FAMILIES.values():
        facts = [
            f"Package `{family.package}`" if family.package else "No package needed",
            family.maturity,
            f"precision {' or '.join(f'`{dtype}`' for dtype in family.dtypes)} (default `{family.default_dtype}`)",
        ]
        lines = [f"## `{family.name}`: {family.title}", "", "; ".join(facts) + "."]
        if family.names:
            rows = [
                (
                    f"`{named.name}`" + (" (default)" if named.name == family.default_name else ""),
                    named.functional + (" + U" if named.hubbard_u else "") + (" + D" if named.dispersion else ""),
                    named.training_set,
                    len(named.elements) or "unknown",
                    named.licence,
                )
                for named in family.names.values()
            ]
            lines += ["", table(["weights", "level of theory", "training set", "elements", "licence"], rows)]
        sections.append("\n".join([*lines, *_settings(family.settings)]))
    return "\n\n".join(sections) + "\n"


def _settings(settings: Mapping[str, Any]) -> list[str]:
    rows = [
        (f"`{name}`", "" if rule.default is None else f"`{rule.default}`", ", ".join(map(str, rule.choices)), rule.help)
        for name, rule in settings.items()
    ]
    return ["", table(["setting", "default", "choices", "what"], rows)] if rows else []


def protocols() -> str:
    """Return the protocol files as they are."""
    folders = importlib.resources.files("aiida_crucible.workflows").iterdir()
    files = {folder.name: folder / "protocol.yaml" for folder in folders if (folder / "protocol.yaml").is_file()}
    sections = [f"## `{name}`\n\n```yaml\n{files[name].read_text(encoding='utf-8')}```" for name in sorted(files)]
    return "\n\n".join(sections) + "\n"


def processes() -> str:
    """Return the ports of each process."""
    sections = []
    for name, process in process_classes().items():
        summary = (process.__doc__ or "").strip().splitlines()[0]
        lines = [f"## `{name}`", "", summary]
        for title, ports in (("input", process.spec().inputs), ("output", process.spec().outputs)):
            rows = list(_ports(ports))
            lines += ["", table([title, "type", "required", "what"], rows)] if rows else []
        options = list(_own_options(process))
        lines += ["", table(["option", "type", "required", "what"], options)] if options else []
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"


def _own_options(process: Any) -> Iterable[tuple[str, str, str, str]]:
    """Yield the options of a job, `metadata.options`, that AiiDA's jobs do not have."""
    if not (isinstance(process, type) and issubclass(process, CalcJob)):
        return
    known = CalcJob.spec().inputs["metadata"]["options"]
    for name, port in sorted(process.spec().inputs["metadata"]["options"].items()):
        if name not in known:
            yield f"`metadata.options.{name}`", _types(port.valid_type), _required(port), port.help or ""


def _ports(namespace: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str, str, str]]:
    """Yield the ports of a namespace; what AiiDA itself defines for every process is left out."""
    for name, port in sorted(namespace.items()):
        if name in {"metadata", "monitors", "remote_folder", "retrieved", "remote_stash", "handler_overrides"}:
            continue
        if isinstance(port, Mapping):
            if port.help or not port:
                yield f"`{prefix}{name}`", "namespace", _required(port), port.help or ""
            yield from _ports(port, f"{prefix}{name}.")
        else:
            yield f"`{prefix}{name}`", _types(port.valid_type), _required(port), port.help or ""


def _required(port: Any) -> str:
    return "yes" if port.required else ""


def _types(valid_type: Any) -> str:
    kinds = valid_type if isinstance(valid_type, tuple) else (valid_type,)
    return " or ".join(kind.__name__ for kind in kinds if kind is not None and kind is not type(None))
