"""The jobs of the tests: what each computes on, and what its outputs say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida.common import AttributeDict
from aiida.orm import Data, Dict, List, ProcessNode, Str, StructureData

from aiida_crucible.analysis.model_tests.conservation import KINDS_OF_RUNS, MULTIPLE
from aiida_crucible.analysis.model_tests.dimers import pairs_of
from aiida_crucible.calculations import validation
from aiida_crucible.workflows.common.verified import VerifiedWorkChain
from aiida_crucible.workflows.common.workchain import give_cores
from aiida_crucible.workflows.dynamics.base import DynamicsBaseWorkChain
from aiida_crucible.workflows.evaluate.base import EvaluateBaseWorkChain
from aiida_crucible.workflows.model_tests import calcfunctions as make
from aiida_crucible.workflows.model_tests.inputs import theory_of, usual_crystals
from aiida_crucible.workflows.model_tests.kinds_calcfunctions import join_kinds
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain, did_not_converge
from crucible_engine.families.facts import CONSERVATIVE, FORCES
from crucible_engine.tasks.dynamics.multiple_steps.checks import WHOLE, next_multiple
from crucible_engine.tasks.parameters import validate_parameters

OF = make.OF

KIND_OF_JOB = {f"conservation_{kind}": kind for kind in KINDS_OF_RUNS}
"""Jobs of the test of conservation with several kinds of forces."""


def test_of(job: str) -> str:
    """Return the test that a job is of, whose name its inputs have."""
    return "conservation" if job in KIND_OF_JOB else job


def forces_of_run(job: str, values: Mapping[str, Any], direct_steps: int) -> dict[str, Any]:
    """Return the parameters of dynamics by which a job differs from those of its test.

    :param values: the latter, complete.
    """
    kind = KIND_OF_JOB.get(job)
    if kind is None:
        return {}
    if kind != MULTIPLE:
        return {"forces": kind}
    return {"direct_steps": direct_steps, **{name: next_multiple(values[name], direct_steps) for name in WHOLE}}


class StagesOfTests(VerifiedWorkChain):
    """What each test begins with and ends with.

    In the context: ``made``, by test the structures of its job; ``missing``, why a test is not made; ``left_out``, by
    test what part of it is not made, with the reason; ``answers``.
    """

    def prepare_rotations(self) -> None:
        """Turn the structures."""
        nodes = {f"{OF}{label}": node for label, node in self.inputs.structures.items()}
        self.ctx.made.rotations = dict(make.turn_structures(self.inputs.parameters, **nodes))

    def prepare_dimers(self) -> None:
        """Make pairs of those elements that the model knows."""
        elements, settings = self.inputs.model.elements, self.ctx.settings
        symbols = sorted(set().union(*validation.symbols_of(self.inputs.structures).values()))
        is_all = settings["dimer_elements"] == "all"
        if is_all and elements is None:
            self.ctx.missing["dimers"] = (
                "nobody says which elements the model knows: it would take dimer_elements: material, or a model node "
                "with elements"
            )
            return
        pairs = pairs_of(elements if is_all else symbols, is_all)
        known = [pair for pair in pairs if elements is None or set(pair) <= set(elements)]
        self.ctx.left_out["dimers"] = {
            "_".join(pair): "the model does not know the element" for pair in pairs if pair not in known
        }
        self.ctx.made.dimers = dict(make.make_dimers(self.inputs.parameters, List([list(pair) for pair in known])))

    def prepare_accuracy(self) -> None:
        """Read the labelled sets, of which the frames of known elements are evaluated."""
        elements, jobs = self.inputs.model.elements, {}
        self.ctx.label_sets = {}
        for name, source in sorted(self.inputs.labels.items()):
            found = dict(make.import_labels(source, self.inputs.label_settings[name]))
            frames = {key: node for key, node in found.items() if key != "summary"}
            known = {k: node for k, node in frames.items() if elements is None or set(node.symbols) <= set(elements)}
            n_left_out = sum(node.numsteps for key, node in frames.items() if key not in known)
            self.ctx.label_sets[name] = {"summary": found["summary"], "frames": known, "n_left_out": n_left_out}
            jobs.update({f"{name}_{key}": node for key, node in known.items()})
        self.ctx.made.accuracy = jobs

    def prepare_robustness(self) -> None:
        """Disturb the crystals of known elements."""
        if not self.has_stress:
            self.ctx.missing["robustness"] = "the model gives no stress, which a cell that relaxes needs"
            return
        elements = self.inputs.model.elements
        given = dict(self.inputs.get("crystals", {}).items()) or usual_crystals()
        known: dict[str, StructureData] = {}
        self.ctx.left_out["robustness"] = {}
        for name, node in given.items():
            unknown = sorted(node.get_symbols_set() - set(elements or node.get_symbols_set()))
            if unknown:
                self.ctx.left_out["robustness"][name] = f"the model does not know {', '.join(unknown)}"
            else:
                known[f"{OF}{name}"] = node
        if not known:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.ctx.left_out["robustness"].items())
            self.ctx.missing["robustness"] = f"{reasons}: it would take crystals of other elements"
            return
        self.ctx.made.robustness = dict(make.disturb_crystals(self.inputs.parameters, **known))

    def prepare_runs(self) -> None:
        """Repeat the structures; a thermostat shows something of those with several elements only."""
        wanted = [name for name in ("conservation", "equipartition") if self.ctx.settings[name]]
        given = {f"{OF}{label}": node for label, node in self.inputs.structures.items()}
        several = {name for name, node in given.items() if len(node.get_symbols_set()) > 1}
        if "equipartition" in wanted and not several:
            wanted.remove("equipartition")
            self.ctx.missing["equipartition"] = (
                "there is one element, whose temperature is the thermostat's: it would take a structure of several"
            )
        if not wanted:
            return
        cells = dict(make.repeat_structures(self.inputs.parameters, **given))
        for name in wanted:
            self.ctx.made[name] = {key: cell for key, cell in cells.items() if name == "conservation" or key in several}

    @property
    def has_stress(self) -> bool:
        """Whether the verification has seen a stress; where it says nothing, there is one."""
        return self.ctx.verification["summary"].get("capabilities", {}).get("stress") is not False

    def submit_test(self, name: str, cores: int | None) -> ProcessNode:
        """Begin the job of a test."""
        made = self.ctx.made[test_of(name)]
        if name in ("rotations", "dimers"):
            return self.submit_restarting(EvaluateBaseWorkChain, name, name, cores, trajectories=made)
        if name == "robustness":
            return self.submit_restarting(RelaxBaseWorkChain, name, name, cores, structures=made)
        chain: Any = EvaluateBaseWorkChain if name == "accuracy" else DynamicsBaseWorkChain
        test = test_of(name)
        exposed = AttributeDict(self.exposed_inputs(chain, test))
        job = exposed[chain.NAMESPACE]
        values = job.parameters.get_dict()
        if name == "accuracy":
            has_labels = any(each["summary"]["has_stress"] for each in self.ctx.label_sets.values())
            job.update(trajectories=made)
            values["stress"] = self.has_stress and has_labels
        else:
            job.update(structures=made)
            values |= {"temperatures": values["temperatures"][:1] * len(made), "seed": self.ctx.settings["seed"]}
            values |= forces_of_run(name, validate_parameters("dynamics", values), self.ctx.settings["direct_steps"])
        job.update(code=self.inputs.code, model=self.inputs.model, parameters=Dict(values))
        give_cores(job, cores)
        exposed.metadata.call_link_label = name
        return self.submit(chain, **exposed)

    def is_measurable(self, name: str, child: ProcessNode) -> bool:
        """Return whether a job has come to an end that says something of the model."""
        return bool(child.is_finished_ok or (name == "robustness" and did_not_converge(child)))

    def measure(self, name: str, child: ProcessNode) -> None:
        """Keep what a job says of the model."""
        if name in KIND_OF_JOB:
            self._measure_kind(name, child)
            return
        measure: Callable[[ProcessNode], None] = getattr(self, f"_measure_{name}")
        measure(child)

    def _measure_kind(self, name: str, child: ProcessNode) -> None:
        kind, series = KIND_OF_JOB[name], self._series_of(child)
        self.ctx.series |= {f"{kind}_{replica}": node for replica, node in series.items()}
        nodes = {f"{OF}{replica}": node for replica, node in series.items()}
        answer = make.measure_conservation(self.inputs.parameters, child.outputs.results, **nodes)
        self.ctx.kinds |= {f"answer_{kind}": answer, f"results_{kind}": child.outputs.results}

    def judge_kinds(self) -> None:
        """Put together what runs with several kinds of forces say, where the model's own kind came to an end."""
        own = self.inputs.model.settings.get(FORCES, CONSERVATIVE)
        self.out("conservation", self.ctx.series)
        if f"answer_{own}" in self.ctx.kinds:
            self.ctx.answers["conservation"] = join_kinds(Str(own), **self.ctx.kinds)
        else:
            self.ctx.missing["conservation"] = f"the run with {KINDS_OF_RUNS[own]} came to no end"

    def _measure_rotations(self, child: ProcessNode) -> None:
        nodes = dict(child.outputs.properties_of.items())
        self.ctx.answers["rotations"] = make.measure_rotations(self.inputs.parameters, **nodes)

    def _measure_dimers(self, child: ProcessNode) -> None:
        left_out = Dict(self.ctx.left_out["dimers"])
        nodes = dict(child.outputs.properties_of.items())
        found = make.measure_dimers(self.inputs.parameters, left_out, **nodes)
        self.ctx.answers["dimers"] = found["answer"]
        self.out("dimer_curves", found["curves"])

    def _measure_accuracy(self, child: ProcessNode) -> None:
        for name, own in self.ctx.label_sets.items():
            settings = {"name": name, "model_theory": theory_of(self.inputs.model), "n_left_out": own["n_left_out"]}
            nodes: dict[str, Data] = {"summary": own["summary"], **own["frames"]}
            for key in own["frames"]:
                properties = child.outputs.properties_of[f"{name}_{key}"]
                nodes[key.replace("frames", "properties", 1)] = properties
            answer = make.measure_labels(self.inputs.parameters, Dict(settings), **nodes)
            self.ctx.answers[f"accuracy_{name}"] = answer

    def _measure_robustness(self, child: ProcessNode) -> None:
        left_out = Dict(self.ctx.left_out["robustness"])
        answer = make.measure_robustness(self.inputs.parameters, left_out, child.outputs.results)
        self.ctx.answers["robustness"] = answer

    def _series_of(self, child: ProcessNode) -> dict[str, Data]:
        return dict(child.outputs.series.items()) if "series" in child.outputs else {}

    def _measure_conservation(self, child: ProcessNode) -> None:
        series = self._series_of(child)
        nodes = {f"{OF}{replica}": node for replica, node in series.items()}
        self.out("conservation", series)
        self.ctx.answers["conservation"] = make.measure_conservation(
            self.inputs.parameters, child.outputs.results, **nodes
        )

    def _measure_equipartition(self, child: ProcessNode) -> None:
        runs = dict(child.outputs.trajectories.items()) if "trajectories" in child.outputs else {}
        nodes: dict[str, Data] = {f"trajectory_{replica}": node for replica, node in runs.items()}
        cells = sorted(self.ctx.made["equipartition"].items())
        nodes |= {f"structure_replica_{number}": node for number, (_, node) in enumerate(cells)}
        dynamics = Dict(child.inputs.dynamics.parameters.get_dict())
        self.ctx.answers["equipartition"] = make.measure_equipartition(
            self.inputs.parameters, dynamics, child.outputs.results, **nodes
        )
