"""Which phase is what. In: the phases of a stack; out: particles, voids, and what lies around."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le

from xct.errors import DataError
from xct.geometry import Label
from xct.parallel.blocks import Voxels
from xct.quantity import Quantity, Table
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["particle", "void", "matrix"]
_Code = Annotated[int, Ge(0), Le(255)]


@stage(gives=Quantity("roles", unit="table of the phases' roles", store=Table()), measures=True)
def roles(
    phases: pd.DataFrame,
    *,
    particle: _Code | None = None,
    void: _Code | None = None,
    left_out: list[_Code] = [],  # noqa: B006  # a setting's default is never changed
) -> pd.DataFrame:
    """Say which phase the particles are, which the voids; the others are the matrix around them.

    Parameters
    ----------
    phases : DataFrame
        What `phases` gave.
    particle : int, optional
        Phase of the particles; the last one, the brightest, unless given.
    void : int, optional
        Phase of the voids; the first one, the darkest, unless given.
    left_out : list of int, optional
        Phases that are neither: what lies outside of the sample, or a label for the unknown.

    Returns
    -------
    DataFrame
        ``phase``, ``role``: particle, void, matrix; those that are left out have no row.

    Raises
    ------
    DataError
        If there is no such phase, or one has two roles.
    """
    import pandas as pd

    there = [int(code) for code in phases["phase"]]
    unknown = [c for c in (particle, void, *left_out) if c is not None and c not in there]
    if unknown:
        raise DataError(
            f"{', '.join(map(str, unknown))} is no phase of this stack, which has "
            f"{', '.join(map(str, there))}; set steps.roles to these"
        )
    kept = [code for code in there if code not in left_out]
    if len(kept) < 2:
        raise DataError(
            f"of the phases {', '.join(map(str, there))}, {len(kept)} is left; particles and voids "
            "need one each"
        )
    solid = kept[-1] if particle is None else particle
    empty = kept[0] if void is None else void
    if solid == empty or {solid, empty} & set(left_out):
        raise DataError(
            f"particle {solid} and void {empty} must be two phases that are not left out"
        )
    named = {solid: "particle", empty: "void"}
    return pd.DataFrame({"phase": kept, "role": [named.get(code, "matrix") for code in kept]})


def codes_of(table: pd.DataFrame, role: Role) -> list[int]:
    """List the phases that have a role."""
    return [int(code) for code in table["phase"][table["role"] == role]]


_MEANT = {"particle": Label.ACTIVE_MATERIAL, "void": Label.LOW_GREY, "matrix": Label.ELECTROLYTE}


@dataclass(frozen=True)
class AsMaterials:
    """Phases as the materials that they stand for, read part by part: uint8, shape (z, y, x)."""

    phase_labels: Voxels
    roles: pd.DataFrame

    @property
    def shape(self) -> Any:
        """Voxels along z, y and x."""
        return self.phase_labels.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the labels."""
        return np.dtype(np.uint8)

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Read a part."""
        table = np.full(256, int(Label.OUTSIDE), np.uint8)
        for code, role in zip(self.roles["phase"], self.roles["role"], strict=True):
            table[int(code)] = int(_MEANT[role])
        return np.asarray(table[np.asarray(self.phase_labels[index])])


@dataclass(frozen=True)
class Part:
    """An image of a series, or a whole stack."""

    first: int
    stop: int
    labels: Any  # shape (y, x) of an image, (z, y, x) of a stack
    voxel_size_um: tuple[float, ...]
    time_s: float | None

    @property
    def is_image(self) -> bool:
        """Whether it has an area, not a volume."""
        return len(self.voxel_size_um) == 2

    @property
    def columns(self) -> dict[str, Any]:
        """What each row of a table of a series begins with."""
        return {} if self.time_s is None else {"frame": self.first, "time_s": self.time_s}


def parts_of(labels: Voxels, voxel_size_um: Any, frame_interval_s: float | None) -> Iterator[Part]:
    """Yield the images of a series one by one, or the stack as a whole."""
    z, y, x = (float(edge) for edge in voxel_size_um)
    depth = labels.shape[0]
    if frame_interval_s is None and depth > 1:
        yield Part(0, depth, labels, (z, y, x), None)
        return
    for frame in range(depth):
        time_s = None if frame_interval_s is None else frame * frame_interval_s
        image = np.asarray(labels[frame : frame + 1])[0]
        yield Part(frame, frame + 1, image, (y, x), time_s)


def note_of(table: pd.DataFrame) -> str | None:
    """Say that things are counted in each image of a series anew."""
    if "frame" not in table:
        return None
    return f"in {table['frame'].nunique()} images, counted in each"
