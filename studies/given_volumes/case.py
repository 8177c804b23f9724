"""A volume with traits. In: what is done to the plain one; out: what a configuration says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from studies.given_volumes.spoiling import ENERGY_KEV, VOXEL_UM, Cell

Said = dict[str, Any]  # the section `volume` of a configuration


@dataclass(frozen=True)
class Given:
    """A volume on its way to a file.

    Attributes
    ----------
    values : ndarray, shape (z, y, x)
        As they are stored.
    edges_um : tuple of float
        Of a voxel, along the axes of `values`.
    said : mapping
        What the configuration says beside file and voxel size.
    """

    values: np.ndarray
    edges_um: tuple[float, float, float] = (VOXEL_UM,) * 3
    said: Mapping[str, Any] = field(default_factory=lambda: {"energy_kev": ENERGY_KEV})

    def but(self, **said: Any) -> Given:
        """Let the configuration say something else; None: nothing."""
        new = {name: value for name, value in {**self.said, **said}.items() if value is not None}
        return replace(self, said=new)


Trait = Callable[[Given], Given]
Write = Callable[[Given, Path], Said]


def known(given: Given, file: Path) -> Said:
    """Give what the configuration says of a file that says nothing of lengths."""
    return {"file": str(file), "voxel_size_um": list(given.edges_um), **given.said}


def in_file(given: Given, file: Path) -> Said:
    """Give what it says of a file that holds the edges itself."""
    return {"file": str(file), **given.said}


def then(write: Write, *changes: Callable[[Said], Said]) -> Write:
    """Write a volume, and change the files or what is said of them."""

    def written(given: Given, folder: Path) -> Said:
        said = write(given, folder)
        for change in changes:
            said = change(said)
        return said

    return written


@dataclass(frozen=True)
class Case:
    """A volume with a trait, or several.

    Attributes
    ----------
    kind : str
        A heading of the table.
    trait : str
        What is the matter with it.
    write : callable
        Writes it into a folder.
    traits : sequence of callable
        What is done to the plain volume before, one after the other.
    says : str
        A pattern that the run's words must match where numbers are missing or wrong.
    energy_kev : float
        Of the photons: numbers are compared with a plain volume of the same.
    part : bool
        Whether only a part of the cell is in view, so that fractions and counts are others.
    """

    kind: str
    trait: str
    write: Write
    traits: Sequence[Trait] = ()
    says: str = ""
    energy_kev: float = ENERGY_KEV
    part: bool = False

    def made(self, cell: Cell, folder: Path) -> Said:
        """Write it, and give what the configuration says of it."""
        given = Given(cell.mu)
        for trait in self.traits:
            given = trait(given)
        return self.write(given, folder)
