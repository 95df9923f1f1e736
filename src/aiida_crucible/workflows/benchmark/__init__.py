"""Many materials and models against references."""

from aiida_crucible.workflows.benchmark.batch import BenchmarkBatchWorkChain
from aiida_crucible.workflows.benchmark.workchain import BenchmarkWorkChain

__all__ = ["BenchmarkBatchWorkChain", "BenchmarkWorkChain"]
