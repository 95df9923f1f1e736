"""The anharmonicity score."""

from aiida_crucible.workflows.anharmonicity.workchain import AnharmonicityWorkChain

__all__ = ["AnharmonicityWorkChain"]
