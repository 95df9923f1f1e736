"""Which operations a frozen graph of DeePMD-kit may hold."""

import pytest

from crucible_engine.families.deepmd import FAMILY
from crucible_engine.families.deepmd.graph import COMPUTATION, beyond_computation


def test_what_computes_is_let_through():
    assert beyond_computation(["Const", "MatMul", "ProdEnvMatA", "TabulateFusionSeAttenGrad", "TanhGrad"]) == []


@pytest.mark.parametrize(
    "operation", ["WriteFile", "ReadFile", "SaveV2", "PyFunc", "EagerPyFunc", "LoadLibrary", "Print", "If", "While"]
)
def test_what_does_more_is_named(operation):
    assert beyond_computation(["Const", operation, "MatMul", operation]) == [operation]


def test_no_listed_operation_reads_writes_or_calls():
    words = (
        "File",
        "Save",
        "Restore",
        "Py",
        "Library",
        "Print",
        "Queue",
        "Dataset",
        "Call",
        "Summary",
        "Resource",
        "Var",
    )
    assert [name for name in COMPUTATION if any(word in name for word in words)] == []


def test_a_torch_file_does_not_begin_like_a_graph():
    assert FAMILY.weights_file.begins(b"\n\x18\n\x04") and not FAMILY.weights_file.begins(b"PK\x03\x04")
