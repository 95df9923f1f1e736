"""What to cite for what ran: publications of methods, codes and models, as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiida_crucible.nodes.model import ModelData
from crucible_engine.families.registry import FAMILIES


@dataclass(frozen=True)
class Publication:
    """An article.

    :param key: of the BibTeX entry.
    :param authors: as BibTeX takes them.
    :param title: as printed.
    :param journal: with its usual abbreviation.
    :param volume: empty if it has none.
    :param pages: first page or number of the article.
    """

    key: str
    authors: str
    title: str
    journal: str
    year: int
    doi: str
    volume: str = ""
    pages: str = ""

    def bibtex(self) -> str:
        """Return the entry."""
        fields = {
            "author": self.authors, "title": f"{{{self.title}}}", "journal": self.journal, "year": str(self.year),
            "volume": self.volume, "pages": self.pages, "doi": self.doi,
        }  # fmt: skip
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return "@article{" + ",\n".join([self.key, *lines]) + "\n}"


PUBLICATIONS = (
    Publication(
        "aiida", "Huber, Sebastiaan P. and others",
        "AiiDA 1.0, a scalable computational infrastructure for automated reproducible workflows and data provenance",
        "Sci. Data", 2020, "10.1038/s41597-020-00638-4", "7", "300",
    ),
    Publication(
        "aiida-workflows",
        "Uhrin, Martin and Huber, Sebastiaan P. and Yu, Jusong and Marzari, Nicola and Pizzi, Giovanni",
        "Workflows in AiiDA: Engineering a high-throughput, event-based engine for robust and modular computational "
        "workflows",
        "Comput. Mater. Sci.", 2021, "10.1016/j.commatsci.2021.110086", "187", "110086",
    ),
    Publication(
        "ase", "Larsen, Ask Hjorth and others",
        "The atomic simulation environment—a Python library for working with atoms",
        "J. Phys.: Condens. Matter", 2017, "10.1088/1361-648X/aa680e", "29", "273002",
    ),
    Publication(
        "phonopy", "Togo, Atsushi and Chaput, Laurent and Tadano, Terumasa and Tanaka, Isao",
        "Implementation strategies in phonopy and phono3py",
        "J. Phys.: Condens. Matter", 2023, "10.1088/1361-648X/acd831", "35", "353001",
    ),
    Publication(
        "birch", "Birch, Francis",
        "Finite elastic strain of cubic crystals",
        "Phys. Rev.", 1947, "10.1103/PhysRev.71.809", "71", "809",
    ),
    Publication(
        "elastic-stability", "Mouhat, Félix and Coudert, François-Xavier",
        "Necessary and sufficient elastic stability conditions in various crystal systems",
        "Phys. Rev. B", 2014, "10.1103/PhysRevB.90.224104", "90", "224104",
    ),
    Publication(
        "universal-anisotropy", "Ranganathan, Shivakumar I. and Ostoja-Starzewski, Martin",
        "Universal elastic anisotropy index",
        "Phys. Rev. Lett.", 2008, "10.1103/PhysRevLett.101.055504", "101", "055504",
    ),
    Publication(
        "quasi-harmonic", "Togo, Atsushi and Chaput, Laurent and Tanaka, Isao and Hug, Gilles",
        "First-principles phonon calculations of thermal expansion in Ti₃SiC₂, Ti₃AlC₂, and Ti₃GeC₂",
        "Phys. Rev. B", 2010, "10.1103/PhysRevB.81.174301", "81", "174301",
    ),
    Publication(
        "phono3py", "Togo, Atsushi and Chaput, Laurent and Tanaka, Isao",
        "Distributions of phonon lifetimes in Brillouin zones",
        "Phys. Rev. B", 2015, "10.1103/PhysRevB.91.094306", "91", "094306",
    ),
    Publication(
        "symfc", "Seko, Atsuto and Togo, Atsushi",
        "Projector-based efficient estimation of force constants",
        "Phys. Rev. B", 2024, "10.1103/PhysRevB.110.214302", "110", "214302",
    ),
    Publication(
        "seekpath", "Hinuma, Yoyo and Pizzi, Giovanni and Kumagai, Yu and Oba, Fumiyasu and Tanaka, Isao",
        "Band structure diagram paths based on crystallography",
        "Comput. Mater. Sci.", 2017, "10.1016/j.commatsci.2016.10.015", "128", "140",
    ),
    Publication(
        "spglib", "Togo, Atsushi and Shinohara, Kohei and Tanaka, Isao",
        "Spglib: a software library for crystal symmetry search",
        "Sci. Technol. Adv. Mater., Meth.", 2024, "10.1080/27660400.2024.2384822", "4", "2384822",
    ),
    Publication(
        "anharmonicity", "Knoop, Florian and Purcell, Thomas A. R. and Scheffler, Matthias and Carbogno, Christian",
        "Anharmonicity measure for materials",
        "Phys. Rev. Mater.", 2020, "10.1103/PhysRevMaterials.4.083809", "4", "083809",
    ),
    Publication(
        "rematch", "De, Sandip and Bartók, Albert P. and Csányi, Gábor and Ceriotti, Michele",
        "Comparing molecules and solids across structural and alchemical space",
        "Phys. Chem. Chem. Phys.", 2016, "10.1039/C6CP00415F", "18", "13754",
    ),
    Publication(
        "dscribe", "Himanen, Lauri and others",
        "DScribe: Library of descriptors for machine learning in materials science",
        "Comput. Phys. Commun.", 2020, "10.1016/j.cpc.2019.106949", "247", "106949",
    ),
    Publication(
        "chgnet", "Deng, Bowen and others",
        "CHGNet as a pretrained universal neural network potential for charge-informed atomistic modelling",
        "Nat. Mach. Intell.", 2023, "10.1038/s42256-023-00716-3", "5", "1031",
    ),
    Publication(
        "sevennet", "Park, Yutack and Kim, Jaesun and Hwang, Seungwoo and Han, Seungwu",
        "Scalable Parallel Algorithm for Graph Neural Network Interatomic Potentials in Molecular Dynamics Simulations",
        "J. Chem. Theory Comput.", 2024, "10.1021/acs.jctc.4c00190", "20", "4857",
    ),
)  # fmt: skip
"""What this package knows to cite, by doi without regard to case; of another doi the entry has the doi alone."""

_BY_KEY = {each.key: each for each in PUBLICATIONS}
_BY_DOI = {each.doi.lower(): each for each in PUBLICATIONS}


AIIDA = ("aiida", "aiida-workflows")
"""What AiiDA asks to be cited (https://www.aiida.net)."""


def dois_of(keys: Iterable[str]) -> list[str]:
    """Return the DOIs of publications, by their keys."""
    return [_BY_KEY[key].doi for key in keys]


def dois_of_model(model: ModelData) -> list[str]:
    """Return what to cite for a potential: what its node names, or else its weights' and its family's publications."""
    family = FAMILIES.get(model.family)
    named = None if family is None else family.names.get(model.name or "")
    given = model.base.attributes.get("reference", None)
    found = [given, named.reference if named else "", family.reference if family else ""]
    return list(dict.fromkeys(str(each) for each in found if each))


def bibliography(keys: Iterable[str], dois: Iterable[str]) -> str:
    """Return BibTeX of publications, each once.

    :param keys: of :data:`PUBLICATIONS`.
    :param dois: of models and references, or addresses of a preprint; empty ones are left out.
    """
    entries: dict[str, str] = {}
    for key in keys:
        entries[_BY_KEY[key].doi.lower()] = _BY_KEY[key].bibtex()
    for doi in dois:
        bare = doi.lower().removeprefix("https://doi.org/")
        if bare and bare not in entries:
            known = _BY_DOI.get(bare)
            entries[bare] = known.bibtex() if known is not None else _bare(doi)
    return "\n\n".join(entries.values()) + "\n"


def _bare(doi: str) -> str:
    key = "".join(letter if letter.isalnum() else "-" for letter in doi).strip("-")
    field = "url" if doi.startswith("http") and "doi.org" not in doi else "doi"
    return f"@misc{{{key},\n  {field} = {{{doi.removeprefix('https://doi.org/')}}}\n}}"
