"""Which potential: a family's released weights or a checkpoint file, and every setting that changes its answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from aiida.manage import get_manager
from aiida.orm import Computer, Data, QueryBuilder
from ase.data import chemical_symbols

from aiida_crucible.compat.aiida_orm import hashed_as
from aiida_crucible.nodes.file_digest import look_on_computer
from aiida_crucible.nodes.model_description import DESCRIPTION, plain_list
from aiida_crucible.nodes.weights import weights_are_missing
from aiida_crucible.nodes.weights_files import check_trust, checked, packed_committee, require_checkpoint, weights_file
from crucible_engine.families.facts import ENSEMBLE
from crucible_engine.families.packed import members_of_committee
from crucible_engine.families.registry import (
    FAMILIES,
    Family,
    NamedModel,
    find_by_sha256,
    find_family,
    find_named,
    name_of_weights,
    validate_dtype,
    validate_settings,
)
from crucible_engine.families.weights import digest, start_of
from crucible_engine.wire.rules import suggestion
from crucible_engine.wire.schema import CHECKPOINT_FILE, ModelReference


def _stored(name: str, description: str) -> Any:
    """Return the property that reads an attribute of a node."""
    return property(lambda node: node.base.attributes.get(name), doc=description)


FIRST_CLASS = "<class 'aiida_crucible.data.model.ModelData'>"
"""What AiiDA called the class when its first nodes were hashed: as good as any other word, as long as it stays."""


@hashed_as(FIRST_CLASS)
class ModelData(Data):
    """A machine-learning interatomic potential; one node a distinct potential.

    Make it with :meth:`get_or_create`. Two nodes are the same potential where family, name, weights' sha256, dtype and
    settings agree; the digest of these is the attribute ``identity``. A checkpoint file is either kept in the node's
    repository or stays at a place on a computer (:attr:`checkpoint_path`).
    """

    TRUSTED_KEY = "crucible_trusted_in"

    @classmethod
    def get_or_create(
        cls,
        family: str,
        name: str | None = None,
        *,
        checkpoint: str | Path | None = None,
        committee: Sequence[str | Path] = (),
        computer: Computer | None = None,
        dtype: str | None = None,
        settings: Mapping[str, Any] | None = None,
        trust_pickle: bool = False,
        trust_code: bool = False,
        store: bool = True,
        **description: Any,
    ) -> ModelData:
        """Return the stored node of a potential, made where there is none yet.

        :param family: a name of :data:`crucible_engine.families.registry.FAMILIES`.
        :param name: released weights; by default the family's own choice unless a checkpoint is given.
        :param checkpoint: path of a checkpoint file instead of a name: local and then copied into the node, or
            absolute on ``computer`` and then left there.
        :param committee: paths of several checkpoint files on this machine, which together are one potential: their
            mean, with the spread of what they say. The files are kept in the node.
        :param computer: where ``checkpoint`` lies; ``None`` for this machine, with the file kept in the node.
        :param dtype: ``float32`` or ``float64``; by default the family's.
        :param settings: what else changes the answers; by default the family's.
        :param trust_pickle: whether the checkpoint may be unpickled where its family knows no safe way: it can run any
            code. Kept as an extra that counts in this profile alone, so that an imported archive trusts nothing.
        :param trust_code: whether the code that the settings name may run, of a family that runs any (``ase``). Kept in
            the same way.
        :param store: whether a node that is made is stored; one without trust may be left to the process that takes it.
        :param description: any of :data:`DESCRIPTION`, for a checkpoint that the catalogue does not know.
        :raises ValueError: one line, if a word is misspelt, a dtype not supported or a file missing.
        """
        entry = find_family(family)
        if checkpoint is not None and name is not None:
            raise ValueError(f"give a name ({name!r}) or a checkpoint ({checkpoint}), not both")
        chosen = checked("settings", settings or {}, Mapping, "a dict")
        if committee:
            with packed_committee(entry, committee, chosen.get(ENSEMBLE), name, checkpoint, computer) as packed:
                more: dict[str, Any] = {"trust_pickle": trust_pickle, "store": store, **description}
                return cls.get_or_create(family, checkpoint=packed, dtype=dtype, settings=settings, **more)
        if checkpoint is None and computer is not None:
            raise ValueError(f"computer {computer} is given, but no checkpoint that lies on it")
        check_trust(entry, trust_pickle, trust_code)
        node, start = cls(), None
        if checkpoint is not None:
            checked("checkpoint", checkpoint, str | PurePath, "a path")
            checked("computer", computer, Computer | None, "a Computer (`load_computer`)")
            start = node._set_checkpoint(entry, checkpoint, computer, dict(chosen))
        else:
            node._set_released(entry, entry.default_name if name is None else name, dict(chosen))
        node._finish(entry, dtype, description, None if start is None else (str(checkpoint), start))
        stored = node._find_same() or (node.store() if store else node)
        if trust_pickle or trust_code:
            stored.trust()
        return stored

    @classmethod
    def of_file(cls, family: str, checkpoint: Path, dtype: str, settings: Mapping[str, Any], **known: Any) -> ModelData:
        """Return a new, unstored node of a checkpoint file, as a process makes it: whether there is one already or not.

        :param known: any of :data:`aiida_crucible.nodes.model_description.DESCRIPTION`.
        :raises ValueError: one line, if the file is none of the family.
        """
        entry, node = find_family(family), cls()
        start = node._set_checkpoint(entry, checkpoint, None, dict(settings))
        node._finish(entry, dtype, known, (str(checkpoint), start))
        return node

    family: str = _stored("family", "Name of the family.")
    dtype: str = _stored("dtype", "Precision of the arithmetic, ``float32`` or ``float64``.")
    identity: str = _stored("identity", "Digest of what tells one potential from another.")
    name: str | None = _stored("name", "Name of the released weights; ``None`` for a checkpoint file.")
    sha256: str | None = _stored(
        "sha256", "Hexadecimal digest of the weights; ``None`` where it is known only once they were loaded."
    )
    functional: str | None = _stored("functional", "Density functional of the training data.")
    hubbard_u: bool | None = _stored("hubbard_u", "Whether the training data have Hubbard corrections.")
    dispersion: bool | None = _stored("dispersion", "Whether the training data have a dispersion correction.")
    training_set: str | None = _stored("training_set", "Name of the training set.")
    licence: str | None = _stored("licence", "Licence of the weights.")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that change the answers, complete with defaults."""
        return dict(self.base.attributes.get("settings"))

    @property
    def elements(self) -> tuple[str, ...] | None:
        """Symbols that the potential knows; ``None`` if nobody said so for a checkpoint file."""
        elements = self.base.attributes.get("elements")
        return None if elements is None else tuple(elements)

    @property
    def is_checkpoint(self) -> bool:
        """Whether the potential is a checkpoint file."""
        return self.checkpoint_path is not None or CHECKPOINT_FILE in self.base.repository.list_object_names()

    @property
    def n_members(self) -> int:
        """How many members say their own: the files of a committee, or those that are asked for of an ensemble."""
        return self.n_files or int(self.settings.get(ENSEMBLE, 0))

    @property
    def n_files(self) -> int:
        """How many checkpoints the potential is a committee of; 0 for one alone."""
        return len(self.base.attributes.get("members", []))

    @property
    def checkpoint_path(self) -> PurePosixPath | None:
        """Absolute place of the checkpoint file on :attr:`computer`; ``None`` if the node holds it itself."""
        path = self.base.attributes.get("checkpoint_path", None)
        return None if path is None else PurePosixPath(path)

    @property
    def runs_code(self) -> bool:
        """Whether its settings name code that runs; nothing does of a family whose package is gone."""
        family = FAMILIES.get(self.family)
        return family is not None and family.runs_code

    @property
    def trusted(self) -> bool:
        """Whether somebody said in this profile that its checkpoint may be unpickled, or the code it names may run."""
        return bool(self.base.extras.get(self.TRUSTED_KEY, None) == self._trust_mark())

    def trust(self) -> None:
        """Say in this profile that the checkpoint may be unpickled, or the code that the settings name may run."""
        self.base.extras.set(self.TRUSTED_KEY, self._trust_mark())

    @property
    def title(self) -> str:
        """One line for people and messages, e.g. ``chgnet 0.3.0``."""
        if self.name == self.family:
            return self.family
        kind = f"committee of {self.n_files} " if self.n_files else ""
        return f"{self.family} {kind}{self.name or name_of_weights(self.sha256 or '')}".rstrip()

    def to_reference(self) -> ModelReference:
        """Return how ``job.json`` calls this potential; a checkpoint file is linked into the job's folder."""
        return ModelReference(
            family=self.family,
            name=self.name,
            checkpoint=CHECKPOINT_FILE if self.is_checkpoint else None,
            sha256=self.sha256,
            dtype=self.dtype,
            settings=self.settings,
            trust_pickle=self.is_checkpoint and self.trusted,
            trust_code=self.runs_code and self.trusted,
        )

    def _finish(
        self, family: Family, dtype: str | None, description: Mapping[str, Any], file: tuple[str, bytes] | None
    ) -> None:
        """Set what all have, and refuse a file, by its path and how it begins, that the family cannot load."""
        self.base.attributes.set("dtype", validate_dtype(family.name, dtype or family.default_dtype))
        self._set_description(description)
        if file is not None:
            require_checkpoint(family, *file)
        self.base.attributes.set("identity", hashlib.sha256(self.definition().encode()).hexdigest())
        self.label = self.title

    def _set_released(self, family: Family, name: str | None, settings: dict[str, Any]) -> None:
        """Set what defines and describes released weights, or a family that its settings alone define."""
        if name is None and family.names:
            raise ValueError(f"{family.name} has no default: choose one of {', '.join(family.names)}, or a checkpoint")
        known = None if name is None else find_named(family.name, name)
        if known is not None and known.fetch_from:
            raise ValueError(f"no package brings the weights {known.name}: fetch {known.fetch_from}, and give the file")
        self._set_known(family, known, settings)
        self.base.attributes.set_many({"name": known and known.name, "sha256": known and known.sha256})

    def _set_checkpoint(
        self, family: Family, checkpoint: str | Path, computer: Computer | None, settings: dict[str, Any]
    ) -> bytes:
        """Set what defines and describes a checkpoint file, keep its bytes or its place, and return how it begins."""
        if family.weights_file is None:
            raise ValueError(f"family {family.name!r} has no checkpoint files: leave {checkpoint} out")
        if computer is None:
            with weights_file(Path(checkpoint).expanduser(), family.weights_file.parts) as path:
                sha256, start = digest(path), start_of(path)
                members = members_of_committee(path)
                self.base.repository.put_object_from_file(str(path.resolve()), CHECKPOINT_FILE)
        else:
            (sha256, start), members = look_on_computer(computer, str(checkpoint)), []
            self.computer = computer
            self.base.attributes.set("checkpoint_path", str(checkpoint))
        owner, known = find_by_sha256(sha256) or (family, None)
        if owner.name != family.name:
            raise ValueError(f"checkpoint {checkpoint} holds weights of {owner.name}, not of {family.name}")
        self._set_known(family, known, settings)
        self.base.attributes.set_many({"name": None, "sha256": sha256})
        if members:
            self.base.attributes.set("members", members)
            return family.weights_file.starts[0]
        return start

    def _set_known(self, family: Family, known: NamedModel | None, settings: dict[str, Any]) -> None:
        settings = validate_settings(family.name, settings, known.name if known else None)
        self.base.attributes.set_many({"family": family.name, "settings": settings})
        self.base.attributes.set_many({key: plain_list(getattr(known, key, None)) for key in DESCRIPTION})
        self.base.attributes.set("elements", list(known.elements) if known and known.elements else None)
        if known is not None:
            self.base.attributes.set_many(asdict(known.theory(settings)))

    def _set_description(self, description: Mapping[str, Any]) -> None:
        for key, value in description.items():
            if key not in DESCRIPTION:
                raise ValueError(f"a model has no {key!r}: {suggestion(key, list(DESCRIPTION))}")
            self.base.attributes.set(key, plain_list(checked(key, value, *DESCRIPTION[key])))
        unknown = sorted(set(description.get("elements", ())) - set(chemical_symbols[1:]))
        if unknown:
            raise ValueError(f"elements has {unknown[0]!r}, which is no chemical symbol: give e.g. ['Pb', 'Ti', 'O']")

    def definition(self) -> str:
        """Return what tells one potential from another, as text."""
        defining = {key: self.base.attributes.get(key) for key in ("family", "name", "sha256", "dtype", "settings")}
        return json.dumps(defining, sort_keys=True)

    def _trust_mark(self) -> str:
        """Return what only this profile can have said, and of this potential only.

        Extras are exported. A mark that was seen in an archive must neither tell the profile's UUID nor serve another
        node, whatever that says of its identity.
        """
        return hashlib.sha256(f"{get_manager().get_profile().uuid}\n{self.definition()}".encode()).hexdigest()

    def _find_same(self) -> ModelData | None:
        """Return a stored node of this potential that serves wherever this one would."""
        query = QueryBuilder().append(ModelData, filters={"attributes.identity": self.identity})
        for node in query.all(flat=True):
            # A node of an archive may claim any identity, and may lack its weights.
            if node.definition() != self.definition() or weights_are_missing(node):
                continue
            held_by_node = node.checkpoint_path is None
            if held_by_node or (node.computer, node.checkpoint_path) == (self.computer, self.checkpoint_path):
                return node  # type: ignore[no-any-return]
        return None
