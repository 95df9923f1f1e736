"""Maps of configurations, and how much samplers overlap."""

from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain, SimilarityBaseWorkChain

__all__ = ["ConfigurationSpaceWorkChain", "SimilarityBaseWorkChain"]
