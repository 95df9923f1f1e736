"""The inputs and outputs of a reliability assessment."""

from __future__ import annotations

from aiida.engine import ProcessSpec
from aiida.orm import Dict, StructureData, to_aiida_type

from aiida_crucible.analysis.anharmonicity.settings import validate_anharmonicity
from aiida_crucible.analysis.verdict.reliability import validate_thresholds
from aiida_crucible.calculations.ports import settings_input
from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain, check_crystal
from aiida_crucible.workflows.relax.base import RelaxBaseWorkChain
from aiida_crucible.workflows.reliability.inputs import check_competing
from aiida_crucible.workflows.sweep.workchain import TemperatureSweepWorkChain


def define_inputs(spec: ProcessSpec) -> None:
    """Declare crystals, what is known of them, and how to relax, compute phonons and run hot."""
    spec.input_nodes(StructureData, check_crystal, structure="The crystal in question.")
    spec.inputs_by_label(
        StructureData,
        check_competing,
        required=False,
        competing="Other phases of the same composition, by name.",
    )
    spec.input(
        "reference",
        valid_type=Dict,
        required=False,
        serializer=to_aiida_type,
        help="What to compare with: `source` (text), `lattice` (any of a, b, c, alpha, beta, gamma, c_over_a, "
        "volume of the structure's conventional cell; Å, degrees, Å³ a formula unit), `energy_differences` (eV a "
        "formula unit above the structure, by the names of the competing phases), `transition_temperature` (K); and "
        "what is known of the structure: `stable` (dynamically, at 0 K), `exists_at` (K), `melting_temperature` (K), "
        "`transition` (whether there is one in the range), `space_group` (number).",
    )
    settings_input(
        spec, "thresholds", validate_thresholds, "See `aiida_crucible.analysis.verdict.reliability.THRESHOLDS`."
    )
    RelaxBaseWorkChain.expose_in(spec, "relax", "How to relax all phases, see `crucible.relax.base`.")
    filled = ("code", "model", "structure", "relax", "verify", "verification")
    phonons = "How to compute the phonons, see `crucible.phonon`."
    spec.expose_child(PhononWorkChain, "phonon", phonons, filled)
    sweep = "How to run the relaxed crystal when hot, see `crucible.sweep`; left out, it is not."
    spec.expose_child(TemperatureSweepWorkChain, "sweep", sweep, filled, required=False)
    settings_input(
        spec,
        "anharmonicity",
        validate_anharmonicity,
        "How to measure the anharmonicity of the hot runs, where these keep their forces; see "
        "`aiida_crucible.analysis.anharmonicity.settings.SETTINGS`.",
    )


def define_outputs(spec: ProcessSpec) -> None:
    """Declare the relaxed phases, phonons, hot runs, the answers and the verdict."""
    spec.outputs_by_label(StructureData, relaxed="The last geometry of each phase.")
    relaxed_before = ("verification", "structure", "relaxation")
    scores = ("scores", "details", "curves", "summary")
    for child, namespace, chosen in (
        (PhononWorkChain, "phonon", {"exclude": ("verification",)}),
        (TemperatureSweepWorkChain, "sweep", {"exclude": relaxed_before}),
        (AnharmonicityWorkChain, "anharmonicity", {"include": scores}),
    ):
        # AiiDA empties the dict of options.
        spec.expose_outputs(child, namespace=namespace, namespace_options={"required": False}, **chosen)
    spec.output_nodes(
        Dict,
        relaxation="See `crucible.relax`, output `summary`.",
        summary="For each of verification, lattice, energies, stability and, with a sweep, finite_temperature, "
        "averages and transitions: question, answer (yes, no, cannot-tell, not-asked), reason, evidence.",
        verdict="`trusted` (yes, no, cannot-tell), `headline`, `up_to` (K), `steps` (what it would take), and by "
        "question whether the model is right, wrong, or that is open.",
    )
