"""Elastic tensor."""

from aiida_crucible.workflows.elastic.workchain import ElasticWorkChain

__all__ = ["ElasticWorkChain"]
