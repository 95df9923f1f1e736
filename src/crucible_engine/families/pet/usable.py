"""What the engine needs of a model of metatomic's, and what it says of itself before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ase.data import chemical_symbols
from metatomic.torch import AtomisticModel

from crucible_engine.families.base import Identity
from crucible_engine.families.facts import ENSEMBLE
from crucible_engine.families.pet import compat
from crucible_engine.families.torch_checkpoint import require_setting
from crucible_engine.wire.schema import Condition, EngineError


@dataclass(frozen=True)
class Usable:
    """What to ask of a model.

    :param elements: atomic numbers that it knows.
    :param energy: name of the output that is the energy.
    :param ensemble: name of the output with what each member of its ensemble says; ``None`` where it has none.
    :param forces: name of the output with direct forces; ``None`` where it has none.
    :param stress: name of the output with a direct stress; ``None`` where it has none.
    """

    elements: frozenset[int]
    energy: str
    ensemble: str | None
    forces: str | None
    stress: str | None


def require_usable(network: AtomisticModel, identity: Identity, path: Path) -> Usable:
    """Return what to ask of a model, if it is a potential that needs nothing but the structure.

    :raises EngineError: ``CHECKPOINT_UNREADABLE``, ``DEVICE_UNAVAILABLE`` or ``INVALID_JOB``, with what it lacks.
    """
    capabilities = network.capabilities()
    variants = compat.energies(capabilities.outputs)
    if not variants:
        raise unusable(
            path, f"has no energy, but {', '.join(sorted(capabilities.outputs)) or 'nothing'}: give a potential"
        )
    require_setting("variant", [name for name in variants if name], identity, path, needed="" not in variants)
    variant = identity.settings.get("variant", "")
    energy, ensemble = compat.energy(variant), compat.ensemble(variant, capabilities.outputs)
    _require_unit(path, "length", capabilities.length_unit)
    forces, stress = (compat.direct(variant, capabilities.outputs, what) for what in ("force", "stress"))
    for name in filter(None, (energy, ensemble, forces, stress)):
        _require_unit(path, name, capabilities.outputs[name].unit)
    needed = sorted(network.requested_inputs(use_new_names=True))
    if needed:
        raise unusable(
            path, f"needs {' and '.join(needed)} beside the structure: give a potential that needs nothing else"
        )
    strange = [kind for kind in capabilities.atomic_types if not 0 < kind < len(chemical_symbols)]
    if strange or not capabilities.atomic_types:
        types = ", ".join(map(str, strange)) or "none"
        raise unusable(path, f"has atom types that are no atomic numbers ({types}): give a potential of elements")
    kind = identity.device.partition(":")[0]
    if kind not in capabilities.supported_devices:
        raise EngineError(
            Condition.DEVICE_UNAVAILABLE,
            f"checkpoint {path.name} does not run on {kind}: choose {' or '.join(capabilities.supported_devices)}",
        )
    return Usable(frozenset(capabilities.atomic_types), energy, ensemble, forces, stress)


def require_members(wanted: int, size: int, path: Path) -> None:
    """Refuse more members than an ensemble has.

    :raises EngineError: ``INVALID_JOB``.
    """
    if wanted > size:
        has = f"its ensemble has {size}" if size else "it has no ensemble, leave it out"
        raise EngineError(Condition.INVALID_JOB, f"setting {ENSEMBLE!r} of {path.name} is {wanted}: {has}")


def unusable(path: Path, reason: str) -> EngineError:
    """Return the error for a model that is whole, but no potential of the kind that is needed."""
    return EngineError(Condition.CHECKPOINT_UNREADABLE, f"the model in {path.name} {reason}")


def _require_unit(path: Path, what: str, unit: str) -> None:
    # metatomic converts nothing where a unit is left out; another kind of unit it refuses to export.
    if not unit:
        raise unusable(path, f"does not say the unit of its {what}: export it anew with one")
