"""What the adapter of DeePMD-kit does with graphs that are hostile, foreign or unsuited; runs in its environment.

    python deepmd_graphs.py GRAPH FOLDER REPORT.json

``GRAPH`` is a whole graph of a potential for Cu, Al and Ni; the report has what each attempt said, see ``main``.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from ase.build import bulk, fcc111
from refusals import said

from crucible_engine.families.load import load_model
from crucible_engine.wire.schema import ModelReference


def load(path, trusted=False, name=None):
    where = {"name": name} if name else {"checkpoint": str(path)}
    return load_model(ModelReference("deepmd", dtype="float64", trust_pickle=trusted, **where), "cpu")


def changed(graph, change):
    copy = tf.GraphDef.FromString(graph.SerializeToString())
    change(copy)
    return copy.SerializeToString()


def add_writer(graph, target):
    """Have the energy be computed only after a file was written."""
    for name, value in (("path", str(target)), ("words", "written")):
        node = graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = tf.string.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    graph.node.add(name="writer", op="WriteFile", input=["path", "words"])
    next(node for node in graph.node if node.name == "o_energy").input.append("^writer")


def hide_writer(graph, target):
    """Have a function of the graph's library write."""
    function = graph.library.function.add()
    function.signature.name = "hidden"
    function.node_def.add(name="writer", op="WriteFile", input=["path", "words"])


def rename_types(graph):
    node = next(node for node in graph.node if node.name == "model_attr/tmap")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(b"Cu Al Ni_1"))


def in_single_precision(graph):
    for node in graph.node:
        if node.op == "MatMul":
            node.attr["T"].type = tf.float32.as_datatype_enum


def without_energy(graph):
    next(node for node in graph.node if node.name == "o_energy").name = "o_dipole"


def main(graph_path, folder, report):
    """Write what each graph is met with, and the numbers of structures that the package takes with care only."""
    folder, path = Path(folder), Path(folder) / "tried.pb"
    whole = Path(graph_path).read_bytes()
    graph = tf.GraphDef.FromString(whole)
    written = folder / "written"
    attempts = {
        "writes a file": changed(graph, lambda copy: add_writer(copy, written)),
        "hides an operation": changed(graph, lambda copy: hide_writer(copy, written)),
        "types that are no elements": changed(graph, rename_types),
        "single precision": changed(graph, in_single_precision),
        "no energy": changed(graph, without_energy),
        "another program's": tf.GraphDef(node=[tf.NodeDef(name="x", op="NoOp")]).SerializeToString(),
        "torch's": b"PK\x03\x04" + bytes(100),
        **{f"truncated to {part}/8": whole[: len(whole) * part // 8] for part in range(1, 8)},
    }
    outcome = {}
    for what, content in attempts.items():
        path.write_bytes(content)
        outcome[what] = said(lambda: load(path))
    outcome["by name"] = said(lambda: load(None, name="UniPero"))
    outcome["written by the refused"] = written.exists()

    path.write_bytes(attempts["writes a file"])
    load(path, trusted=True).evaluate_batch([bulk("Cu")])
    outcome["written by the trusted"] = written.exists()

    model = load(graph_path)
    outcome["gold"] = said(lambda: model.evaluate_batch([bulk("Au")]))
    outcome["left-handed"], outcome["slab"] = left_handed(model), slab(model)
    Path(report).write_text(json.dumps(outcome), encoding="utf-8")


def left_handed(model):
    """Return by how much energies, forces and stresses differ between two descriptions of one crystal."""
    right = bulk("Cu", cubic=True) * (1, 1, 2)
    right.rattle(0.1, seed=1)
    left = right.copy()
    left.set_cell(right.cell.array[[1, 0, 2]])
    one, other = model.evaluate_batch([right, left])
    return max(np.abs(getattr(one, what) - getattr(other, what)).max() for what in ("energy", "forces", "stress"))


def slab(model):
    """Return by how much a slab without a vacuum differs from one in a large cell."""
    bare = fcc111("Cu", (1, 1, 3))
    bare.rattle(0.05, seed=1)
    boxed = bare.copy()
    boxed.center(vacuum=10, axis=2)
    boxed.pbc = True
    one, other = model.evaluate_batch([bare, boxed])
    return max(abs(one.energy - other.energy), np.abs(one.forces - other.forces).max())


if __name__ == "__main__":
    main(*sys.argv[1:])
