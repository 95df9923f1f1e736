#!/usr/bin/env python
"""Map where a benchmark's model and its reference have been with one material, coloured by σ(t), through AiiDA.

Before, once:

    aiida-crucible env create analysis

Then:

    python configuration_map.py PK Cs2AgBiBr6        # the PK of a finished benchmark, see double_perovskites.py
"""

import argparse
from pathlib import Path

from aiida import load_profile, orm
from aiida.engine import run_get_node

from aiida_crucible.workflows.configuration_space import ConfigurationSpaceWorkChain

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("benchmark", type=int, metavar="PK")
parser.add_argument("material", help="its label in the benchmark")
parser.add_argument("--model", help="its label in the benchmark; the first if not given")
parser.add_argument("--code", default="analysis@localhost")
parser.add_argument("--protocol", help="of the map")
options = parser.parse_args()

load_profile()
rows = orm.load_node(options.benchmark).outputs.rows
model = options.model or sorted(rows)[0]
(protocol, *_) = sorted(rows[model])
measurement = rows[model][protocol][options.material].creator
(run,) = [label for label in measurement.inputs if label.endswith("_run_0")]
own = f"details_own_frames_own_constants_{run.partition('_')[0]}"
builder = ConfigurationSpaceWorkChain.get_builder_from_protocol(
    options.code,
    {"reference": measurement.inputs.reference_trajectory, "model": measurement.inputs[run]},
    options.protocol,
    sigmas={"reference": measurement.outputs.details_reference, "model": measurement.outputs[own]},
)
outputs, workchain = run_get_node(builder)
if not workchain.is_finished_ok:
    raise SystemExit(f"{workchain.exit_message}; see `verdi process report {workchain.pk}`")
figure = Path(f"map_{options.material}.png")
figure.write_bytes(outputs["figure"].get_content(mode="rb"))
(overlap,) = outputs["results"]["summary"]["overlaps"]
print(f"{figure} is drawn; overlap {overlap['overlap']:.2f} ± {overlap['spread']:.2f} (1: mixed, 0: apart)")
