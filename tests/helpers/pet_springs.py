"""A pair potential as a model of metatomic's, in any units, and with what no potential should have.

The energy of a pair at the distance r is (1 + cos(π r / cutoff))² eV, up to a cutoff of 4 Å.
"""

# What TorchScript and metatomic read of annotations.
# ruff: noqa: UP006, UP035, UP045

import math
from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import AtomisticModel, ModelCapabilities, ModelMetadata, ModelOutput, NeighborListOptions, System

CUTOFF = 4.0
EV_IN = {"eV": 1.0, "kcal/mol": 23.060547830619}
ANGSTROM_IN = {"angstrom": 1.0, "nm": 0.1}
STRENGTHS = (0.9, 1.0, 1.4)
"""Of the members of the ensemble."""


class Springs(torch.nn.Module):
    def __init__(self, length: float, energy: float, fault: str):
        super().__init__()
        self.cutoff = CUTOFF * length
        self.strength = energy
        self.fault = fault
        # A tensor that is neither a parameter nor a buffer keeps its precision.
        self.fixed = torch.ones(1, 1, dtype=torch.float32)

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return [NeighborListOptions(cutoff=self.cutoff, full_list=False, strict=True)]

    def requested_inputs(self) -> Dict[str, ModelOutput]:
        inputs: Dict[str, ModelOutput] = {}
        if self.fault == "charge":
            inputs["charge"] = ModelOutput(unit="e", sample_kind="system")
        return inputs

    def forward(
        self, systems: List[System], outputs: Dict[str, ModelOutput], selected_atoms: Optional[Labels]
    ) -> Dict[str, TensorMap]:
        energies: List[torch.Tensor] = []
        for system in systems:
            vectors = system.get_neighbor_list(system.known_neighbor_lists()[0]).values.reshape(-1, 3)
            pairs = (1 + torch.cos(math.pi * (vectors**2).sum(dim=1).sqrt() / self.cutoff)) ** 2
            energies.append(self.strength * pairs.sum())
        together = torch.stack(energies).reshape(-1, 1)
        if self.fault == "no gradient":
            together = together.detach()
        if self.fault == "one precision":
            together = together @ self.fixed
        results: Dict[str, TensorMap] = {}
        for name in outputs.keys():  # noqa: SIM118 (TorchScript)
            values = together
            if "_ensemble" in name:
                values = together @ torch.tensor([[0.9, 1.0, 1.4]], dtype=together.dtype)
            if name == "energy/twice":
                values = 2 * together
            if name.startswith("non_conservative_force"):
                # Whoever takes these for forces has wrong ones.
                values = torch.ones(sum([len(system) for system in systems]), 3, dtype=together.dtype)
            results[name] = output(values)
        return results


def output(values: torch.Tensor) -> TensorMap:
    count = torch.arange(len(values), dtype=torch.int32).reshape(-1, 1)
    members = torch.arange(values.shape[1], dtype=torch.int32).reshape(-1, 1)
    block = TensorBlock(
        values, Labels(["system"], count), torch.jit.annotate(List[Labels], []), Labels(["energy"], members)
    )
    return TensorMap(Labels(["_"], torch.tensor([[0]])), [block])


def _declared(name, energy_unit):
    if name == "non_conservative_force":
        return ModelOutput(unit="eV/A", sample_kind="atom")
    return ModelOutput(unit=energy_unit, sample_kind="system", description=name)


def write(path, length_unit="angstrom", energy_unit="eV", fault="", outputs=("energy", "energy_ensemble"), **more):
    """Export the potential to a file."""
    springs = Springs(ANGSTROM_IN.get(length_unit, 1.0), EV_IN.get(energy_unit, 1.0), fault)
    capabilities = ModelCapabilities(
        outputs={name: _declared(name, energy_unit) for name in outputs},
        atomic_types=more.get("atomic_types", [13, 28, 29]),
        interaction_range=springs.cutoff,
        length_unit=length_unit,
        supported_devices=more.get("devices", ["cpu"]),
        dtype=more.get("dtype", "float64"),
    )
    AtomisticModel(springs.eval(), ModelMetadata(), capabilities).save(str(path))
    return path
