"""Looks at the environment that runs it. Shipped alone to the computer; needs nothing but the standard library.

``python probe.py crucible_engine.pyz request.json`` writes ``probe.json``: a list of ``{name, status, message}``, with
the status ``passed``, ``failed`` or ``not-applicable``. What a package prints goes to ``probe.log``.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not-applicable"
Finding = tuple[str, str]


def check_python(request: dict[str, Any]) -> Finding:
    """Name the interpreter and its host."""
    return PASSED, f"{platform.python_version()} on {platform.node()} ({platform.machine()})"


def check_package(request: dict[str, Any]) -> Finding:
    """Import the model's package and compare its version with what the lock promised."""
    importlib.import_module(request["import_name"])
    found, promised = metadata.version(request["package"]), request["version"]
    if found != promised:
        return FAILED, f"{request['package']} is {found}, its lock says {promised}: it was changed by hand"
    return PASSED, f"{request['package']} {found} can be imported"


def check_versions(request: dict[str, Any]) -> Finding:
    """Compare all packages with those that were installed when the environment was made."""
    marker = Path(sys.prefix, "crucible.json")
    if not marker.is_file():
        return NOT_APPLICABLE, "this environment was not made by aiida-crucible"
    expected = json.loads(marker.read_text(encoding="utf-8"))["packages"]
    found = {item.metadata["Name"].lower().replace("_", "-"): item.version for item in metadata.distributions()}
    changed = [
        f"{name} {expected.get(name, 'absent')} → {found.get(name, 'absent')}"
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    ]
    if changed:
        return FAILED, f"changed since the environment was made: {', '.join(changed)}"
    return PASSED, f"{len(found)} packages are as installed"


def check_torch(request: dict[str, Any]) -> Finding:
    """Name torch and the CUDA that it was built for."""
    if request["torch"] is None:
        return NOT_APPLICABLE, "this family needs no torch"
    torch = importlib.import_module("torch")
    cuda = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    return PASSED, f"{torch.__version__} ({cuda})"


def check_gpu(request: dict[str, Any]) -> Finding:
    """Name the GPU and its driver, and see whether torch can use it."""
    driver = _nvidia_smi()
    if request["torch"] is None:
        return NOT_APPLICABLE, driver or "none; this family needs none"
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return PASSED, driver or ", ".join(names)
    if driver is None:
        return NOT_APPLICABLE, "none on this computer (where this job ran)"
    if torch.version.cuda is None:
        return FAILED, f"{driver}, but this torch was built without CUDA: create the environment with --torch cuda"
    return FAILED, f"{driver}, but torch for CUDA {torch.version.cuda} cannot use it: a newer driver, or --torch cu126"


def check_evaluation(request: dict[str, Any]) -> Finding:
    """Evaluate a small crystal with the family's default weights and compare with the stored fingerprint."""
    if not request["weights"]:
        return NOT_APPLICABLE, "the package ships no weights: `aiida-crucible model verify` checks yours"
    # The engine's modules are on the path only once `main` has put the shipped archive there.
    fingerprints = importlib.import_module("crucible_engine.families.fingerprints")
    load = importlib.import_module("crucible_engine.families.load")
    schema = importlib.import_module("crucible_engine.wire.schema")
    model = load.load_model(schema.ModelReference(request["family"], request["weights"], dtype=request["dtype"]))
    known = fingerprints.find(model.family, model.name, model.settings)
    if known is None:
        return NOT_APPLICABLE, f"no fingerprint is stored for {model.name}"
    begin = time.perf_counter()
    answers = model.evaluate_batch(known.structures, stress=False)
    seconds = time.perf_counter() - begin
    stored = zip(answers, known.structures, known.energies, known.forces, strict=True)
    errors = [
        (abs(answer.energy - energy) / len(atoms), float(abs(answer.forces - forces).max()))
        for answer, atoms, energy, forces in stored
    ]
    energy_error, force_error = (max(column) for column in zip(*errors, strict=True))
    agrees = energy_error <= known.energy_tolerance and force_error <= known.force_tolerance
    return (PASSED if agrees else FAILED), (
        f"{model.family} {model.name} on {model.device} is {energy_error:.1e} eV/atom and {force_error:.1e} eV/Å off "
        f"its fingerprint (allowed {known.energy_tolerance:.0e} and {known.force_tolerance:.0e}), {seconds:.1f} s"
    )


CHECKS: dict[str, Callable[[dict[str, Any]], Finding]] = {
    "python": check_python,
    "package": check_package,
    "versions": check_versions,
    "torch": check_torch,
    "gpu": check_gpu,
    "evaluation": check_evaluation,
}


def run_checks(request: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the finding of each check; one that cannot be made has failed."""
    for name, check in CHECKS.items():
        try:
            status, message = check(request)
        except BaseException as error:  # a broken package may even exit
            traceback.print_exc()
            status, message = FAILED, " ".join(f"{type(error).__name__}: {error}".split())
        yield {"name": name, "status": status, "message": message}


def _nvidia_smi() -> str | None:
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    gpus = [" ".join(line.split()) for line in answer.splitlines()]
    return f"{'; '.join(gpus)} (name, driver, memory)" if gpus else None


def main() -> None:
    """Run the checks that the command line asks for."""
    engine, request = sys.argv[1:]
    log = os.open("probe.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.path.insert(0, str(Path(engine).resolve()))
    findings = list(run_checks(json.loads(Path(request).read_text(encoding="utf-8"))))
    Path("probe.json").write_text(json.dumps(findings, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
