"""Whether labels and a model are of one level of theory; where they are not, a difference is no error of the model.

Levels of theory that differ cost 30 to 120 meV/atom (Mazitov et al., PET-MAD, Nat. Commun. 2025).
"""

from __future__ import annotations

from collections.abc import Collection

HUBBARD_METALS = frozenset(("Co", "Cr", "Fe", "Mn", "Mo", "Ni", "V", "W"))
HUBBARD_ANIONS = frozenset(("O", "F"))
"""Where the Materials Project adds a Hubbard U: to these metals, where one of these anions is there, too."""

COST = "levels of theory that differ cost 30 to 120 meV/atom"


def name_of_theory(functional: str | None, hubbard_u: bool | None, dispersion: bool | None) -> str | None:
    """Return the level of theory of a model as people write it; ``None`` where its functional is not known."""
    if not functional:
        return None
    return functional + ("+U" if hubbard_u else "") + ("+D" if dispersion else "")


def are_same_theory(first: str, second: str, symbols: Collection[str]) -> bool:
    """Tell whether two levels of theory are one for a material.

    Case, spaces and hyphens do not count, and a Hubbard U only where the Materials Project adds one.

    :param symbols: of the material.
    """
    has_u = HUBBARD_METALS & set(symbols) and HUBBARD_ANIONS & set(symbols)
    names = [_plain(name) for name in (first, second)]
    return names[0] == names[1] if has_u else names[0].replace("+u", "") == names[1].replace("+u", "")


def _plain(name: str) -> str:
    return "".join(name.casefold().split()).replace("-", "").replace("_", "")
