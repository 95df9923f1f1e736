"""The wire between the AiiDA side and the engine: file names, fields, shapes, units and their version.

Both sides import this module, so that it cannot drift. A job is a folder::

    job.json          what to compute                                   (AiiDA → engine, see :class:`Job`)
    structures.npz    the structures, concatenated                      (AiiDA → engine, see ``structures_file``)
    reference.npz     of a dynamics: the crystal that it must not lose  (AiiDA → engine, the same; optional)
    labels.npz        of a training: energies, forces, stresses, sides  (AiiDA → engine, see ``labels``)
    journal.bin       every finished piece of work, appended, flushed   (kept while the job is unfinished)
    progress.jsonl    one JSON line an interval                         (for people and monitors)
    arrays.npz        the arrays of the finished job                    (engine → AiiDA, written last but one)
    trajectories.npz  geometries on the way of a relaxation             (engine → AiiDA, on request)
    trained.model     the weights that a training leaves                (engine → AiiDA, as the family's package saves)
    results.json      scalars, condition, environment                   (engine → AiiDA, written last, atomically)
    run/              checkpoint, time series and frames of a dynamics  (kept on the computer; a copy is continued)
                      or checkpoint of a training
    lammps/           what LAMMPS reads and writes                      (kept on the computer; nothing continues it)

No pickle crosses the wire in either direction. Units are ASE's: eV, Å, eV/Å, and eV/Å³ with ASE's sign of stress
(``stress = (1/V) dE/dε``, positive under tension) in Voigt order xx, yy, zz, yz, xz, xy. Times are fs, temperatures
K, pressures GPa, frequencies THz.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any

from crucible_engine.wire.rules import shown
from crucible_engine.wire.value_types import require_fields

PROTOCOL = 5
"""Version of the wire *and* of every task's numerics.

Raise it whenever a number that a task returns could change: AiiDA's cache follows it (``CACHE_VERSION``), so that a
result of an older engine is never handed back for a newer one.
"""

JOB_FILE = "job.json"
STRUCTURES_FILE = "structures.npz"
REFERENCE_FILE = "reference.npz"
LABELS_FILE = "labels.npz"
JOURNAL_FILE = "journal.bin"
PROGRESS_FILE = "progress.jsonl"
ARRAYS_FILE = "arrays.npz"
TRAJECTORIES_FILE = "trajectories.npz"
TRAINED_FILE = "trained.model"
RESULTS_FILE = "results.json"
STATE_FILE, PREVIOUS_STATE_FILE = "state.npz", "state.previous.npz"
"""Checkpoints of a dynamics or a training, in the run folder."""

REACHED_FILE = "reached.json"
"""Beside a training's checkpoint, ``epoch`` and ``step`` that it is at."""

RUN_FOLDER = "run"
LAMMPS_FOLDER = "lammps"
ENGINE_FILE = "crucible_engine.pyz"
CHECKPOINT_FILE = "checkpoint.model"
"""Name under which a model's checkpoint file is linked into the job's folder."""

STARTED = f"crucible_engine: protocol {PROTOCOL}"
"""The first line of an engine's standard output."""
USAGE_ERROR, NO_SPACE_LEFT = 2, 28
"""Exit statuses of an engine's process that could write no ``results.json``: for its job or folder, for a full disk. It
is 0 wherever they were written, whatever they say."""

EVALUATIONS = "evaluations"
"""Kind of the journal's records of ``evaluate``, one a batch: field ``start`` (index of its first structure), arrays
``energies`` [n], ``forces`` [n_atoms, 3], ``n_atoms`` [n] and, where asked for, ``stresses`` [n, 6]."""
EVALUATED, RELAXED, RELAXED_MEMBER = "evaluated", "relaxed", "relaxed-member"
"""Kinds of the journal's records of ``relax``, all with the field ``index`` of the structure.

The first holds n evaluations: fields ``start`` (number of the first, from 0; what was recorded before of it and of
later ones counts no longer) and ``stress`` (whether the model has one), arrays ``steps`` [n] (of the optimizer),
``positions`` [n, n_atoms, 3], ``cells`` [n, 3, 3], ``energies`` [n], ``forces`` [n, n_atoms, 3], ``stresses`` [n, 6].

The second is the end of a structure, of which the last counts: its summary as fields, arrays ``positions`` [n_atoms,
3], ``cells`` [1, 3, 3], ``energies`` [1], ``forces`` [n_atoms, 3], ``stresses`` [1, 6].

The third is the end of a member of an ensemble, of which the last counts too: fields ``member``, ``outcome``, ``steps``
and ``energy`` (eV; ``null`` if not finite), array ``cell`` [3, 3]."""

TILE = "tile"
"""Kind of the journal's records of ``similarity``, one a tile of the kernel: field ``tile`` (its two blocks), array
``similarities`` [frames of the first, frames of the second]."""

SERIES_COLUMNS = (
    "step",
    "time",
    "temperature",
    "potential_energy",
    "kinetic_energy",
    "conserved_quantity",
    "volume",
    "pressure",
    *(f"cell_{vector}{axis}" for vector in "abc" for axis in "xyz"),
    *(f"stress_{pair}" for pair in ("xx", "yy", "zz", "yz", "xz", "xy")),
)
"""Columns of a time series of ``dynamics``: fs, K, eV (three times; the conserved one is NaN where there is none or its
target temperature moves), Å³, GPa (that of the moving atoms included), Å (lattice vectors), eV/Å³ (the potential's
stress, ASE's sign); NaN where a model has no stress."""

OUTCOMES_OF_DYNAMICS = ("stable", "diffusive", "melted", "atoms-lost", "exploded", "non-finite")
"""From good to bad: atoms kept their sites; some species left theirs while another kept its own; every species did; an
atom has no neighbour any more; temperature, cell or volume ran away; the model gave NaN or infinity."""

LOST_OUTCOMES = OUTCOMES_OF_DYNAMICS[2:]
"""Of what is no crystal any more; ``diffusive`` still is one."""


def frame_of_sampler(sampler: str, index: int) -> str:
    """Return the label of a frame in the structures of ``similarity``."""
    return f"{sampler}/{index}"


def sampler_of(label: str) -> str:
    """Return the sampler of a frame from its label, see :func:`frame_of_sampler`."""
    return label.rpartition("/")[0]


class Condition(str, enum.Enum):
    """How a job ended, as ``results.json`` says it. The AiiDA side maps each to one exit code.

    A physical failure of a model (NaN, a cell that runs away) is no condition: the job is ``FINISHED`` and its
    ``outcome`` tells.
    """

    FINISHED = "finished"
    # Bad input that only the run could see (2xx).
    UNSUPPORTED_ELEMENT = "unsupported-element"
    CHECKPOINT_MISSING = "checkpoint-missing"
    CHECKPOINT_UNREADABLE = "checkpoint-unreadable"
    CHECKPOINT_OF_ANOTHER_FAMILY = "checkpoint-of-another-family"
    CHECKPOINT_UNTRUSTED = "checkpoint-untrusted"
    CODE_UNTRUSTED = "code-untrusted"
    WEIGHTS_MISMATCH = "weights-mismatch"
    PACKAGE_MISSING = "package-missing"
    PACKAGE_VERSION = "package-version"
    DEVICE_UNAVAILABLE = "device-unavailable"
    INVALID_JOB = "invalid-job"
    INVALID_STRUCTURE = "invalid-structure"
    CAPABILITY_MISSING = "capability-missing"
    # Unrecoverable (3xx).
    DISK_FULL = "disk-full"
    UNEXPECTED_ERROR = "unexpected-error"
    # Restartable (4xx).
    INTERRUPTED = "interrupted"
    OUT_OF_MEMORY = "out-of-memory"
    # The physics did not converge (5xx).
    NOT_CONVERGED = "not-converged"


class EngineError(Exception):
    """A job cannot go on, for a reason that has a name.

    :param condition: which one.
    :param message: one line: what happened, which input caused it, what to do.
    """

    def __init__(self, condition: Condition, message: str) -> None:
        super().__init__(message)
        self.condition = condition
        self.message = message


@dataclass(frozen=True)
class ModelReference:
    """Which potential a job wants, as ``job.json`` carries it.

    :param family: name of the model family, e.g. ``chgnet``.
    :param name: name of released weights, e.g. ``0.3.0``; ``None`` for a checkpoint file.
    :param checkpoint: path of a checkpoint file, relative to the job's folder or absolute; ``None`` for a name.
    :param sha256: hexadecimal digest that the loaded weights must have; ``None`` where it is not known beforehand.
    :param dtype: ``float32`` or ``float64``: the precision of the model's arithmetic.
    :param settings: what else changes its answers (``modal``, ``head``, ``dispersion`` …), by the family's names.
    :param trust_pickle: whether a checkpoint that can only be read by unpickling may be (it runs code).
    :param trust_code: whether the code that the settings of some families name may run.
    """

    family: str
    name: str | None = None
    checkpoint: str | None = None
    sha256: str | None = None
    dtype: str = "float32"
    settings: dict[str, Any] = field(default_factory=dict)
    trust_pickle: bool = False
    trust_code: bool = False


@dataclass(frozen=True)
class Job:
    """Content of ``job.json``.

    :param task: which one, see :mod:`crucible_engine.tasks.registry`.
    :param model: which potential; ``None`` for the tasks that compute with none, and for them alone.
    :param parameters: the task's parameters, validated by :mod:`crucible_engine.tasks.parameters`.
    :param device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1`` …
    :param threads: CPU threads; ``None`` leaves the choice to :mod:`crucible_engine.job.threads`.
    :param walltime: seconds after which the scheduler will end the job; a task that can stops itself before. ``None``
        where there is no limit.
    :param package_version: version of the model's package that the environment promises; ``None`` if none was.
    :param launcher: the command that the computer starts a program with on the job's ranks, for a task that lets
        another program compute; empty starts it as one process.
    :param ranks: how many processes that program has.
    :param protocol: the :data:`PROTOCOL` of the side that wrote the job.
    """

    task: str
    model: ModelReference | None
    parameters: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    threads: int | None = None
    walltime: float | None = None
    package_version: str | None = None
    launcher: list[str] = field(default_factory=list)
    ranks: int = 1
    protocol: int = PROTOCOL

    @property
    def reference(self) -> ModelReference:
        """Which potential, of a task that needs one."""
        assert self.model is not None
        return self.model

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-serializable content."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Job:
        """Return the job that ``content`` describes.

        :raises EngineError: ``INVALID_JOB``, if a field is unknown, missing or of another type, or the protocol is
            another one.
        """
        try:
            return cls._from_valid(content)
        except ValueError as error:
            raise EngineError(Condition.INVALID_JOB, str(error)) from None

    @classmethod
    def _from_valid(cls, content: Any) -> Job:
        _require_protocol(content)
        require_fields(cls, content, "job")
        for name, least in (("threads", 1), ("walltime", 0), ("ranks", 1)):
            if content.get(name) is not None and content[name] < least:
                raise ValueError(f"{name} of the job is {shown(content[name])}: give at least {least}, or null")
        model = content["model"]
        return cls(**{**content, "model": model and ModelReference(**model)})


def _require_protocol(content: Any) -> None:
    """Refuse the job of another protocol before anything else is asked of it: its fields may be others."""
    protocol = content.get("protocol") if isinstance(content, dict) else PROTOCOL
    if protocol != PROTOCOL or isinstance(protocol, bool):
        raise ValueError(
            f"the job speaks protocol {shown(protocol)}, this engine {PROTOCOL}: use the engine that was shipped with "
            "the job"
        )


@dataclass
class Results:
    """Content of ``results.json``.

    :param condition: value of a :class:`Condition`.
    :param message: one line for a person; empty where all is well.
    :param outcome: what the physics said, in the task's words (evaluate: ``finite`` or ``non-finite``; relax:
        ``converged``, ``not-converged``, ``non-finite`` or ``runaway``, the worst of its structures; dynamics: the
        worst of its replicas, see :data:`OUTCOMES_OF_DYNAMICS`; verify: ``passed`` or ``failed``; similarity:
        ``mapped``; train: see
        :data:`crucible_engine.wire.training.OUTCOMES_OF_TRAINING`); ``None`` while unknown.
    :param summary: the task's scalars, see each task.
    :param model: ``family``, ``name``, ``sha256`` (of what was really loaded), ``dtype``, ``elements`` (symbols),
        ``forces`` (``conservative`` or ``direct``), ``settings``; empty for a task without a model.
    :param environment: ``python``, ``packages`` (name → version), ``device`` (in words), ``device_kind``, on a GPU
        ``cuda`` and ``driver``, ``host``, ``platform``, ``threads``: ``count`` (at the end), ``rule`` (what gave it,
        see :mod:`crucible_engine.job.threads`), ``cores`` (that the process may run on).
    :param timings: seconds: ``import`` (the model's package), ``load`` (its weights), ``compute``, ``total``.
    :param peak_memory: largest resident memory, MiB; on a GPU ``peak_device_memory`` as well.
    """

    task: str
    condition: str
    message: str = ""
    outcome: str | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    peak_memory: float | None = None
    peak_device_memory: float | None = None
    protocol: int = PROTOCOL

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-serializable content."""
        return asdict(self)
