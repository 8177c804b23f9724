"""A volume with a trait. In: what makes it; out: a record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studies.given_volumes.files import Said
from studies.given_volumes.spoiling import ENERGY_KEV

Make = Callable[..., Said]  # of μ, a folder and the `Cell`


@dataclass(frozen=True)
class Case:
    """A volume with a trait.

    Attributes
    ----------
    kind : str
        A heading of the table.
    trait : str
        What is the matter with it.
    make : callable
        Writes it: from μ of the plain volume, a folder, and the cell.
    says : str
        A pattern that the run's words must match where numbers are missing or wrong.
    energy_kev : float
        Of the photons: numbers are compared with a plain volume of the same.
    part : bool
        Whether only a part of the cell is in view, so that fractions and counts are others.
    """

    kind: str
    trait: str
    make: Make
    says: str = ""
    energy_kev: float = ENERGY_KEV
    part: bool = False
