"""Maps of configurations, and how much samplers overlap."""

from aiida_crucible.workflows.configuration_space.base import SimilarityBaseWorkChain
from aiida_crucible.workflows.configuration_space.workchain import ConfigurationSpaceWorkChain

__all__ = ["ConfigurationSpaceWorkChain", "SimilarityBaseWorkChain"]
