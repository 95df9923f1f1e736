"""What is said of the anharmonicity of a quartic crystal, for the stored numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from anharmonic_crystals import QuarticPairs

from aiida_crucible.analysis.anharmonicity.combinations import (
    OWN,
    REFERENCE,
    Combination,
    compare_combinations,
    temperature_curves,
)
from aiida_crucible.analysis.anharmonicity.run import analyse_anharmonicity
from aiida_crucible.analysis.anharmonicity.settings import validate_anharmonicity


def analysed() -> dict[str, Any]:
    """Return what is said of two runs, and of a reference and a model together."""
    crystal = QuarticPairs()
    settings = validate_anharmonicity({"effective_frames": 40})
    runs = [crystal.sample(300.0, 30, seed) for seed in range(2)]
    found = analyse_anharmonicity(runs, crystal.force_constants, settings)
    truth, own = Combination(REFERENCE, REFERENCE, REFERENCE), Combination(OWN, OWN, REFERENCE, 300.0)
    scores = {one.label: {**one.as_dict(), **found.values} for one in (truth, own)}
    rules = found.values.pop("force_constants")
    return {
        "values": found.values,
        "largest": rules["largest"],
        "scores": found.arrays["scores"],
        "frames": found.arrays["frames"],
        "frequencies": np.sort(found.arrays["mode_frequencies"] ** 2),
        "contributions": np.nansum(found.arrays["mode_contributions"]),
        "combinations": compare_combinations(scores),
        "curves": temperature_curves(scores),
    }
