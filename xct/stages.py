"""Stages: pure functions over arrays, declared once. In: a function; out: its entry in STAGES.

Positional parameters are data, found by name among what the scan and earlier stages gave.
Keyword-only parameters with a default are settings from the YAML; a keyword-only parameter
without a default is a fact of the scan, found by name too. Types, ranges and defaults stand
in the signature and nowhere else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import numpy as np

from xct.parallel.blocks import Block, cut
from xct.parallel.executors import map_blocks

if TYPE_CHECKING:
    from pydantic import BaseModel

# Every quantity that stages exchange: its axes and its unit. `volume` runs along z = row.
QUANTITIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "projections": (("angle", "row", "column"), "counts"),
    "flats": (("frame", "row", "column"), "counts"),
    "darks": (("frame", "row", "column"), "counts"),
    "projection_time": (("angle",), "s, or frames where the file has no clock"),
    "flat_time": (("frame",), "on the clock of projection_time"),
    "projection_dose": (("angle",), "mean dose of a projection"),
    "flat_dose": (("frame",), "mean dose of a projection"),
    "theta_deg": (("angle",), "degrees"),
    "frame_light": ((), "coarse transmission of whole frames"),
    "row_px": (("row",), "number of the row"),
    "transmission": (("angle", "row", "column"), "1"),
    "line_integrals": (("angle", "row", "column"), "1"),
    "center_px": (("row",), "pixels"),
    "volume": (("row", "y", "x"), "1/cm"),
    "cell": ((), "geometry of the cell, µm"),
    "reference": ((), "the electrolyte's μ by depth and radius, 1/cm"),
    "absolute": ((), "table of known materials"),
    "grey_values": (("z", "y", "x"), "normalized grey values"),
    "surfaces": ((), "height maps, µm"),
    "layers": ((), "table of layers"),
    "roughness": ((), "table of surfaces"),
    "materials": ((), "table of materials"),
    "labels": (("z", "y", "x"), "material"),
    "particles": ((), "table of particles, and their labels"),
    "particle_table": ((), "table of particles"),
    "shells": ((), "table of gaps and shells around particles"),
    "charge": ((), "table of lithium contents"),
    "inclusions": ((), "table of low-grey inclusions"),
    "histograms": ((), "tables of grey values by ROI"),
    "depth_histogram": (("z_um", "grey_value"), "voxels"),
    "table": ((), "a table of one's own"),
    "displacement": ((), "map of displacements, µm"),
    "into": (("z", "y", "x"), "where labels are written, slab by slab"),
    "rois": ((), "regions of interest in cell coordinates"),
    "pristine": ((), "result of the pristine cell"),
    "pixel_size_um": ((), "µm"),
    "energy_kev": ((), "keV"),
    "glare_sd": ((), "doubt about the glare that was measured and taken away"),
    "distance_mm": ((), "mm"),
    "voxel_size_um": (("axis",), "µm, along z, y and x"),
    "anode": ((), "side of the anode, where it is known"),
    "same_cell": ((), "whether the pristine cell is this one, before it was cycled"),
}

Overlap = int | Callable[[Mapping[str, Any]], int]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Stage:
    """One step of a recipe: a function, what it gives, and how its data may be cut.

    Attributes
    ----------
    function : callable
        The public function itself.
    gives : str
        Name of the quantity that it returns; one of `QUANTITIES`.
    cut : tuple of {"angle", "row"}
        Axes along which blocks may be cut without changing the answer. Empty: the stage must
        see the whole, or a sample of rows (`sample`).
    measures : bool
        The stage measures a finished volume: it gets the volume as something to read slab by
        slab, and cuts it itself.
    overlap : int or callable
        Rows beyond a block that its answer depends on; a callable gets the settings.
    sample : bool
        A number is wanted, and some rows of the scan are enough to find it.
    counts : str or None
        Name under which the values are counted, by row, that the stage marks or replaces.
    """

    function: Callable[..., Any]
    gives: str
    cut: tuple[str, ...]
    overlap: Overlap = 0
    sample: bool = False
    counts: str | None = None
    measures: bool = False

    @property
    def name(self) -> str:
        """Name of the function, and of the step in a recipe."""
        return str(self.function.__name__)

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.function).parameters.values())

    @cached_property
    def data(self) -> tuple[str, ...]:
        """Names of the positional parameters, required and optional."""
        return tuple(p.name for p in self._parameters if p.kind is not p.KEYWORD_ONLY)

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Keyword-only parameters without a default: facts of the scan such as its pixel size."""
        return tuple(
            p.name for p in self._parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty
        )

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Quantities without which the stage cannot run."""
        return tuple(p.name for p in self._parameters if p.default is p.empty)

    @cached_property
    def settings(self) -> type[BaseModel]:
        """Pydantic model of the settings, made from the signature."""
        from pydantic import ConfigDict, create_model

        own = [p for p in self._parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty]
        # Of the settings alone: types of data may be known to type checkers only.
        typed = SimpleNamespace(__annotations__={p.name: p.annotation for p in own})
        hints = get_type_hints(typed, self.function.__globals__, include_extras=True)
        fields: dict[str, Any] = {p.name: (hints[p.name], p.default) for p in own}
        return create_model(
            self.name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields
        )

    def __call__(self, quantities: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
        """Call the function with what it takes from `quantities`, and the settings."""
        taken = {name: quantities[name] for name in self.data if name in quantities}
        facts = {name: quantities[name] for name in self.facts}
        return self.function(**taken, **facts, **settings)

    def overlap_rows(self, settings: Mapping[str, Any]) -> int:
        """Rows that a block must see on either side, with these settings."""
        return self.overlap(settings) if callable(self.overlap) else self.overlap


STAGES: dict[str, Stage] = {}


def stage(
    *,
    gives: str,
    cut: tuple[str, ...] = (),
    overlap: Overlap = 0,
    sample: bool = False,
    counts: str | None = None,
    measures: bool = False,
) -> Callable[[F], F]:
    """Declare a function as a stage; the function itself is returned unchanged."""
    if gives not in QUANTITIES:
        raise ValueError(f"gives={gives!r} is not a quantity; known: {', '.join(QUANTITIES)}")

    def register(function: F) -> F:
        STAGES[function.__name__] = Stage(function, gives, cut, overlap, sample, counts, measures)
        return function

    return register


def along(name: str, value: Any, axis: str) -> int | None:
    """Find which dimension of a quantity runs along `axis`; None where it has no such axis."""
    axes = QUANTITIES[name][0]
    if axis not in axes or np.ndim(value) != len(axes):
        return None
    return axes.index(axis)


def take(quantities: Mapping[str, Any], axis: str, part: slice) -> dict[str, Any]:
    """Cut every quantity that runs along `axis` to `part`; the others stay whole."""
    pieces = {}
    for name, value in quantities.items():
        dimension = along(name, value, axis)
        index = (slice(None),) * (dimension or 0) + (part,)
        pieces[name] = value if dimension is None else value[index]
    return pieces


def in_blocks(
    stage: Stage,
    quantities: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    axis: str,
    size: int,
) -> np.ndarray:
    """Run a stage block by block; the answer is that of the stage on the whole.

    Parameters
    ----------
    stage : Stage
        What to run; `axis` must be one along which it may be cut.
    quantities : mapping of str to array
        What the stage needs, by name, and perhaps more.
    settings : mapping
        Its settings.
    axis : {"angle", "row"}
        Where to cut.
    size : int
        Length of a block along that axis.

    Returns
    -------
    ndarray
        What the stage gives, put together again.

    Raises
    ------
    ValueError
        If the stage may not be cut along `axis`, or nothing that it gets runs along it.
    """
    if axis not in stage.cut:
        allowed = ", ".join(stage.cut) or "no axis: it must see the whole"
        raise ValueError(f"{stage.name} may not be cut along {axis!r}; it may along {allowed}")
    lengths = {
        np.shape(quantities[name])[dimension]
        for name in stage.data
        if (dimension := along(name, quantities.get(name), axis)) is not None
    }
    if len(lengths) != 1:
        raise ValueError(f"{stage.name}: lengths along {axis!r} are {sorted(lengths)}, not one")
    overlap = stage.overlap_rows(settings) if axis == "row" else 0
    dimension = QUANTITIES[stage.gives][0].index(axis)

    blocks = cut(lengths.pop(), size, overlap)
    pieces = map_blocks(_one_block, blocks, stage, quantities, settings, axis, dimension)
    return np.concatenate(pieces, axis=dimension)


def _one_block(
    block: Block,
    stage: Stage,
    quantities: Mapping[str, Any],
    settings: Mapping[str, Any],
    axis: str,
    dimension: int,
) -> np.ndarray:
    answer = stage(take(quantities, axis, block.outer), settings)
    return np.asarray(answer[(slice(None),) * dimension + (block.inner,)])
