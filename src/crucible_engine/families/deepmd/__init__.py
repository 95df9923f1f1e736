"""DeePMD-kit: Deep Potential models as frozen TensorFlow graphs, with UniPero."""

from __future__ import annotations

from crucible_engine.families.facts import Family, NamedModel, PairStyle, WeightsFile, named

# A serialized GraphDef has no magic: it begins with the tag of its first field, the list of nodes.
WEIGHTS_FILE = WeightsFile((b"\n",), "a frozen TensorFlow graph of DeePMD-kit ('graph.pb', made by 'dp --tf freeze')")

FAMILY = Family(
    name="deepmd",
    package="deepmd-kit",
    import_name="deepmd",
    title="DeePMD-kit (Deep Potential, DPA-1)",
    maturity="experimental",
    default_name=None,
    default_dtype="float64",
    # A graph computes in the precision that it was trained in: double, unless its training input says otherwise.
    dtypes=("float64",),
    settings={},
    reference="10.1063/5.0155600",
    weights_file=WEIGHTS_FILE,
    pair_style=PairStyle(
        name="deepmd",
        commands=("pair_style deepmd {weights}", "pair_coeff * * {types}"),
        weights="graph.pb",
        how_to_have="'aiida-crucible env create deepmd' makes an environment whose LAMMPS has it, and one of your own "
        "needs the plugin of DeePMD-kit (LAMMPS_PLUGIN_PATH)",
        thread_variables=("DP_INTRA_OP_PARALLELISM_THREADS", "DP_INTER_OP_PARALLELISM_THREADS"),
    ),
    names=named(
        NamedModel(
            "UniPero",
            functional="PBEsol",
            hubbard_u=False,
            dispersion=False,
            training_set="perovskite oxides of 14 metals and their solid solutions",
            licence="not stated",
            elements=("Ba", "Pb", "Ca", "Sr", "Bi", "K", "Na", "Hf", "Ti", "Zr", "Nb", "Mg", "In", "Zn", "O"),
            reference="10.1103/PhysRevB.108.L180104",
            fetch_from="the graph in github.com/sliutheorygroup/UniPero",
        ),
    ),
)
