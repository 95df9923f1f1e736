"""Load the model that a job refers to, whatever its family, without a word of its package."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

from crucible_engine.families import registry as catalogue
from crucible_engine.families.base import Loader, Model
from crucible_engine.families.facts import Family, Packaged
from crucible_engine.wire.schema import Condition, EngineError, ModelReference


def load_model(reference: ModelReference, device: str = "auto") -> Model:
    """Return the model that a reference describes.

    :param device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1`` …
    :raises EngineError: with the condition that tells what is wrong: the reference itself, the package, the device,
        or the weights.
    """
    reference = complete_reference(reference)
    family = catalogue.find_family(reference.family)
    _require_trusted_code(family, reference)
    check_package(family)
    load: Loader = import_adapter(family).load
    return load(reference, device)


def complete_reference(reference: ModelReference) -> ModelReference:
    """Return the reference with the name's canonical form and the settings' defaults.

    :raises EngineError: ``INVALID_JOB``, if the family, name, precision or settings are unknown or contradict.
    """
    try:
        family = catalogue.find_family(reference.family)
        name = _canonical_name(family, reference)
        dtype = catalogue.validate_dtype(family.name, reference.dtype)
        settings = catalogue.validate_settings(family.name, reference.settings, name)
    except ValueError as error:
        raise EngineError(Condition.INVALID_JOB, str(error)) from None
    return replace(reference, name=name, dtype=dtype, settings=settings)


def check_package(owner: Packaged, expected_version: str | None = None) -> str:
    """Return the version of the package of a model family or a toolset.

    :param expected_version: the version that the environment promised; ``None`` accepts any.
    :raises EngineError: ``PACKAGE_MISSING`` or ``PACKAGE_VERSION``, with how to make an environment that has it.
    """
    remedy = f"'aiida-crucible env create {owner.name}' makes an environment that has it"
    try:
        version = importlib.metadata.version(owner.package)
    except importlib.metadata.PackageNotFoundError:
        raise EngineError(
            Condition.PACKAGE_MISSING, f"this Python has no package {owner.package} (family {owner.name}): {remedy}"
        ) from None
    if expected_version is not None and version != expected_version:
        raise EngineError(
            Condition.PACKAGE_VERSION,
            f"{owner.package} is {version} here, but the environment promised {expected_version}: "
            f"it was changed by hand; {remedy}",
        )
    return version


def import_adapter(family: Family) -> ModuleType:
    """Import a family's module ``adapter``, whose ``load`` returns its models, and with it the family's package.

    :raises EngineError: ``PACKAGE_MISSING``, if the package or something that it needs cannot be imported.
    """
    return import_quietly(f"{family.folder}.adapter", family)


def import_quietly(module: str, owner: Packaged) -> ModuleType:
    """Import a module that needs the package of a model family or a toolset.

    :raises EngineError: ``PACKAGE_MISSING``, if the package or something that it needs cannot be imported.
    """
    try:
        with silence():
            return importlib.import_module(module)
    except ImportError as error:
        raise EngineError(
            Condition.PACKAGE_MISSING,
            f"package {owner.package} (family {owner.name}) cannot be imported, {error}: "
            f"'aiida-crucible env create {owner.name}' makes an environment that has it",
        ) from error


def _require_trusted_code(family: Family, reference: ModelReference) -> None:
    # Nothing but the word itself: a job may come from an archive, and any text in its place would count as true.
    if family.runs_code and reference.trust_code is not True:
        named = ", ".join(f"{key} {value!r}" for key, value in reference.settings.items() if isinstance(value, str))
        raise EngineError(
            Condition.CODE_UNTRUSTED,
            f"a model of family {family.name} runs the code that it names ({named}): if you trust it, set trust_code "
            "on the model",
        )


def _canonical_name(family: Family, reference: ModelReference) -> str | None:
    if reference.name is not None and reference.checkpoint is not None:
        raise ValueError(f"{family.name} is given both a name and a checkpoint file: give one of them")
    if reference.checkpoint is not None:
        if family.weights_file is None:
            raise ValueError(f"family {family.name!r} has no checkpoint files")
        return None
    if reference.name is not None:
        return catalogue.find_named(family.name, reference.name).name
    if family.default_name is None and family.names:
        raise ValueError(f"give the name of {family.name}'s weights or a checkpoint file")
    return family.default_name


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what a package prints, logs or warns of while it loads away from the job's output."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
