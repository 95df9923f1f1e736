"""Install a family of pseudopotentials of which there are but the headers: enough to build a WorkChain with them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from aiida import load_profile
from aiida_pseudo.groups.family import SsspFamily

load_profile()
with tempfile.TemporaryDirectory() as folder:
    header = '<UPF version="2.0.1"><PP_HEADER element="Cu" z_valence="11.0"/></UPF>'
    (Path(folder) / "Cu.upf").write_text(header, encoding="utf-8")
    family = SsspFamily.create_from_folder(Path(folder), "SSSP/1.3/PBEsol/efficiency")
family.set_cutoffs({"Cu": {"cutoff_wfc": 45.0, "cutoff_rho": 360.0}}, "normal", unit="Ry")
