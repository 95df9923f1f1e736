"""How processes declare their ports and exit codes, and the ports that several declare alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida.engine import CalcJobProcessSpec, Process, ProcessSpec
from aiida.orm import AbstractCode, Data, Dict, StructureData

from aiida_crucible.analysis.crystal.finite import require_no_vacuum
from aiida_crucible.calculations import validation
from aiida_crucible.calculations.exit_codes import FIRST_CACHED_STATUS
from aiida_crucible.compat.aiida_engine import WorkChainSpec
from aiida_crucible.nodes.model import ModelData
from aiida_crucible.nodes.structures import require_crystal, to_atoms
from crucible_engine.wire.rules import plain, shown

ENVIRONMENT_HELP = "The Python of an environment in which the model's package can be imported."

Nodes = type[Data] | tuple[type[Data], ...] | None
"""Types of nodes; ``None`` for any."""

Complete = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns settings complete with defaults and normalised; raises ``ValueError`` with one line."""


class _Specification:
    """Declares nodes by their type, and lets exit codes below 400 invalidate the cache, AiiDA's own ones included."""

    def input_nodes(
        self: Any, valid_type: Nodes, check: validation.Check | None = None, required: bool = True, **descriptions: str
    ) -> None:
        """Declare inputs that are nodes of the same type and have the same check.

        :param descriptions: help by name.
        """
        validator = check and validation.validator(check)
        for name, description in descriptions.items():
            self.input(name, valid_type=valid_type, required=required, validator=validator, help=description)

    def inputs_by_label(
        self: Any, valid_type: Nodes, check: validation.Check | None = None, required: bool = True, **descriptions: str
    ) -> None:
        """Declare namespaces of nodes that come by labels of the user's; ``check`` is of all of them together."""
        for name, description in descriptions.items():
            validator = validation.validator(_check_by_label(name, valid_type, check))
            shared = {"dynamic": True, "required": required, "validator": validator, "help": description}
            self.input_namespace(name, valid_type=valid_type, **shared)

    def output_nodes(self: Any, valid_type: Nodes, **descriptions: str) -> None:
        """Declare outputs of the same type, by name with their help; none of them comes of every run."""
        for name, description in descriptions.items():
            self.output(name, valid_type=valid_type, required=False, help=description)

    def outputs_by_label(self: Any, valid_type: Nodes, **descriptions: str) -> None:
        """Declare namespaces of outputs, as :meth:`output_nodes` does single ones."""
        for name, description in descriptions.items():
            self.output_namespace(name, valid_type=valid_type, dynamic=True, required=False, help=description)

    def expose_child(
        self: Any,
        child: type[Process],
        namespace: str,
        description: str,
        exclude: Sequence[str] = (),
        required: bool = True,
    ) -> None:
        """Take the inputs of a child, but for those that the parent fills in.

        :param exclude: names of these.
        :param required: whether the child runs also where the namespace is not given.
        """
        optional = {} if required else {"required": False, "populate_defaults": False}
        options = {"help": description, **optional}
        self.expose_inputs(child, namespace=namespace, exclude=tuple(exclude), namespace_options=options)

    def expose_inputs(self: Any, process_class: type[Process], namespace: str | None = None, **options: Any) -> None:
        """Expose inputs as AiiDA does, but where they come without a namespace keep the own check of all inputs.

        AiiDA would put the check of the other process in its place.
        """
        own = self.inputs.validator
        inherited: Any = super()
        inherited.expose_inputs(process_class, namespace=namespace, **options)
        if namespace is None:
            self.inputs.validator = own

    def exit_code(self, status: int, label: str, message: str, invalidates_cache: bool | None = None) -> None:
        """Add an exit code; see :meth:`aiida.engine.ProcessSpec.exit_code`."""
        if invalidates_cache is None or status < FIRST_CACHED_STATUS:
            invalidates_cache = status < FIRST_CACHED_STATUS
        inherited: Any = super()
        inherited.exit_code(status, label, message, invalidates_cache=invalidates_cache)


class CalculationSpec(_Specification, CalcJobProcessSpec):
    """Specification of every CalcJob of this package."""


class WorkflowSpec(_Specification, WorkChainSpec):
    """Specification of every WorkChain of this package."""


def _check_by_label(name: str, valid_type: Nodes, check: validation.Check | None) -> validation.Check:
    """Return the check of a namespace by label, which refuses what is nested: AiiDA would take it.

    :param name: of the namespace.
    :param check: of all nodes together, where they are nodes.
    """
    types = valid_type if isinstance(valid_type, tuple) else (valid_type or Data,)

    def checked(values: Mapping[str, Any]) -> None:
        for label, value in values.items():
            if not isinstance(value, Data):
                raise ValueError(f"{name}.{label} is {validation.misfit(value, types)}")
        if check is not None:
            check(values)

    return checked


def model_inputs(spec: ProcessSpec) -> None:
    """Declare the inputs of every WorkChain that runs a model: which one, and where."""
    spec.input_nodes(AbstractCode, validation.check_code, code=ENVIRONMENT_HELP)
    spec.input_nodes(ModelData, model="Which potential.")


def settings_input(
    spec: ProcessSpec, name: str, complete: Complete, description: str, has_default: bool = True
) -> None:
    """Declare settings that are given as a ``dict`` or ``Dict``, and stored complete with defaults.

    :param name: of the input, as messages call it too.
    :param complete: see :data:`Complete`.
    :param has_default: whether nothing has to be given.
    """

    def serialize(value: Any) -> Dict:
        if not isinstance(value, dict):
            raise ValueError(f"{name} are {shown(value)}: give a dict or a Dict node")
        return Dict(complete(plain(value)))

    def check(settings: Dict) -> None:
        complete(settings.get_dict())

    default = {"default": lambda: Dict(complete({}))} if has_default else {}
    validator = validation.validator(check)
    spec.input(name, valid_type=Dict, serializer=serialize, validator=validator, help=description, **default)


def settings_help(module: str) -> str:
    """Return the help of settings that a module of ``aiida_crucible.analysis`` has."""
    return f"See `aiida_crucible.analysis.{module}.SETTINGS` for names, units, ranges and defaults."


def crystal_check(purpose: str) -> Callable[[StructureData], None]:
    """Return the check that a structure is a crystal of whole atoms; it raises ``ValueError`` with one line.

    :param purpose: what needs the crystal, as the message should call it (``a phonon calculation``).
    """

    def check(structure: StructureData) -> None:
        require_crystal(structure, purpose)
        validation.check_alone(structure)
        require_no_vacuum(to_atoms(structure), purpose)

    return check


def check_each(check: Callable[[Any], None], nodes: Mapping[str, Any] | None, prefix: str = "") -> None:
    """Check nodes that come by label.

    :param prefix: of the label in messages.
    :raises ValueError: one line that begins with the label.
    """
    for label, node in (nodes or {}).items():
        with validation.naming(f"{prefix}{label}"):
            check(node)
