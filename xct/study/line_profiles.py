"""Grey values along lines: through inclusions, and where the study says. In: cells; out: profiles.

Each inclusion is crossed along its long and its short axis: the axes of the ellipsoid with the same
moments as its voxels. A line of the study is given in cell coordinates, and is the same in every
cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze.profiles import crack_opening, profile_of_roi, thick_profile
from xct.analyze.roi.shapes import LineRoi
from xct.errors import XctError
from xct.figures import canvas
from xct.geometry import CellGeometry, Label
from xct.parallel.boxes import Box, Window, read_boxes
from xct.report.page import Part, known_figures, known_tables
from xct.study.cells import Cell
from xct.study.settings import ProfileSection

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_MOST = 40  # inclusions of a cell, the largest
_SHOWN = 6  # of them in the figure
_BEYOND_UM = 20.0  # an inclusion, on each side
_WIDTH_UM = 6.0  # of a line through an inclusion
_LEAST_VOXELS = 8  # fewer have no axes


@dataclass(frozen=True)
class Profile:
    """Grey values along a line.

    Attributes
    ----------
    cell : Cell
        The cell.
    name : str
        Of the line: as in the study, or "inclusion 3".
    way : {"along", "across", "line"}
        Along the long or the short axis of an inclusion, or a line of the study.
    table : DataFrame
        What `xct.analyze.profiles.thick_profile` gives.
    opening_um, opening_um_sd : float
        Width of what is missing, as a gap of air's grey value; NaN where the ends of the line do
        not both lie in one material.
    """

    cell: Cell
    name: str
    way: str
    table: DataFrame
    opening_um: float = nan
    opening_um_sd: float = nan


def measure_profiles(
    cells: Sequence[Cell], lines: Mapping[str, ProfileSection]
) -> tuple[list[Profile], list[str]]:
    """Measure the profiles of every cell.

    Returns
    -------
    profiles : list of Profile
        By cell: the study's lines, then inclusions, the largest first.
    said : list of str
        Lines that do not lie in a cell; inclusions that are left out.
    """
    found: list[Profile] = []
    said: list[str] = []
    for cell in cells:
        geometry = cell.geometry
        if geometry is None:
            if lines:
                said.append(f"{cell.name}: no profiles: the cell was not found in it")
            continue
        for name, line in lines.items():
            try:
                found.append(_line(cell, geometry, name, line))
            except (ValueError, XctError) as error:
                said.append(f"{cell.name}: profile {name}: {error}; it is left out")
        try:
            found += _of_inclusions(cell, geometry)
        except XctError as error:
            said.append(f"{cell.name}: no profiles of inclusions: {error}")
        count = len(_largest(cell))
        table = cell.table("inclusions")
        if table is not None and len(table) > count:
            said.append(
                f"{cell.name}: profiles go through the {count} largest inclusions of {len(table)}"
            )
    return found, said


def _line(cell: Cell, geometry: CellGeometry, name: str, line: ProfileSection) -> Profile:
    roi = LineRoi(
        name=name, surface=line.surface, from_um=line.from_um, to_um=line.to_um,
        width_um=line.width_um,
    )  # fmt: skip
    table = profile_of_roi(cell.grey_values, geometry, roi)
    if not np.isfinite(table["grey_value"]).all():
        raise ValueError("a part of it lies outside of the volume")
    return Profile(cell, name, "line", table)


def _largest(cell: Cell) -> list[dict[str, Any]]:
    table = cell.table("inclusions")
    if table is None or not len(table):
        return []
    chosen = table.sort_values("volume_um3", ascending=False).head(_MOST)
    return [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]


def _of_inclusions(cell: Cell, geometry: CellGeometry) -> Iterator[Profile]:
    rows = _largest(cell)
    if not rows:
        return
    size = np.asarray(geometry.voxel_size_um)
    lines: list[tuple[str, str, tuple[list[float], list[float]]]] = []
    for row, shape in zip(rows, _shapes(cell.result.labels("materials"), rows, size), strict=True):
        if shape is None:
            continue
        middle, axes, lengths = shape
        for way, which in (("along", 2), ("across", 0)):
            half = (lengths[which] / 2 + _BEYOND_UM) * axes[which]
            first, last = (_held((middle + s * half) / size, geometry.shape) for s in (-1, 1))
            lines.append((f"inclusion {row['inclusion']}", way, (first, last)))
    boxes = [_box_around(ends, size, geometry.shape) for _, _, ends in lines]
    tables: dict[int, DataFrame] = {}
    for number, values in read_boxes(cell.grey_values, boxes):
        tables[number] = thick_profile(
            Window(values, boxes[number], geometry.shape), *lines[number][2],
            voxel_size_um=geometry.voxel_size_um, width_um=_WIDTH_UM,
        )  # fmt: skip
    for number, (name, way, _) in enumerate(lines):
        opening = _opening(cell, tables[number]) if way == "across" else (nan, nan)
        yield Profile(cell, name, way, tables[number], *opening)


def _box_around(
    ends: tuple[list[float], list[float]], size: np.ndarray, shape: tuple[int, int, int]
) -> Box:
    """Give the voxels that a line through an inclusion touches, those between which it lies too."""
    reach = _WIDTH_UM / 2 / size + 1
    low = np.maximum(np.floor(np.min(ends, axis=0) - reach).astype(int), 0)
    high = np.minimum(np.ceil(np.max(ends, axis=0) + reach).astype(int) + 1, shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


Shape = tuple[np.ndarray, np.ndarray, np.ndarray]


def _shapes(labels: Any, rows: Sequence[dict[str, Any]], size: np.ndarray) -> list[Shape | None]:
    """Give middle (µm), axes (short to long, rows) and their lengths (µm) of inclusions."""
    places, boxes = [], []
    for row in rows:
        place = np.array([row["z_um"], row["y_um"], row["x_um"]], float)
        feret_um = float(row.get("feret_um", row["thickness_um"]))
        reach = np.ceil((feret_um / 2 + size.max()) / size).astype(int)
        center = np.rint(place / size).astype(int)
        # A flat or bent one may reach farther to one side of its centroid than half of its length.
        low = np.maximum(center - 2 * reach, 0)
        high = np.minimum(center + 2 * reach + 1, labels.shape)
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        places.append(place)
        boxes.append((z, y, x))
    found: list[Shape | None] = [None] * len(boxes)
    for number, values in read_boxes(labels, boxes):
        low = np.array([part.start for part in boxes[number]])
        found[number] = _axes(values == Label.LOW_GREY, low, places[number], size)
    return found


def _axes(
    there: np.ndarray, low: np.ndarray, place_um: np.ndarray, size: np.ndarray
) -> Shape | None:
    """Give middle, axes and lengths of the piece that lies at a place, of a box that begins low."""
    import cc3d

    pieces, count = cc3d.connected_components(there, connectivity=26, return_N=True)
    if not count:
        return None
    found = cc3d.statistics(pieces)
    away_um = np.linalg.norm((found["centroids"][1:] + low) * size - place_um, axis=1)
    number = int(np.argmin(away_um)) + 1
    box = found["bounding_boxes"][number]
    first = [part.start for part in box]
    points = (np.argwhere(pieces[box] == number) + first + low) * size
    if away_um.min() > 2 * size.max() or len(points) < _LEAST_VOXELS:  # another one, or a speck
        return None
    middle = points.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((points - middle).T))
    return middle, vectors.T, np.sqrt(20 * np.maximum(values, 0))


def _held(index: np.ndarray, shape: tuple[int, int, int]) -> list[float]:
    return [float(v) for v in np.clip(index, 0, np.array(shape) - 1)]


def _opening(cell: Cell, table: DataFrame) -> tuple[float, float]:
    try:
        opening, sd = crack_opening(table, grey_low=cell.result.grey_scale.zero)
    except ValueError:  # an end lies in lithium, steel or a particle
        return nan, nan
    return (opening, sd) if opening > 0 else (nan, nan)  # below 0: a particle lies on the way


def profiles_table(profiles: Sequence[Profile]) -> DataFrame:
    """Join the profiles: ``cell, profile, way, distance_um, grey_value, grey_value_sd, n``."""
    import pandas as pd

    if not profiles:
        return pd.DataFrame()
    parts = [
        each.table.assign(cell=each.cell.name, profile=each.name, way=each.way) for each in profiles
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[["cell", "profile", "way", "distance_um", "grey_value", "grey_value_sd", "n"]]


def profile_numbers(profiles: Sequence[Profile]) -> DataFrame:
    """List what each profile shows.

    Returns
    -------
    DataFrame
        ``cell, profile, way, length_um, lowest_grey, lowest_grey_sd, opening_um, opening_um_sd``:
        the opening is that of a gap of air's grey value that lacks as much; lithium looks the same.
    """
    import pandas as pd

    rows = []
    for each in profiles:
        table = each.table[np.isfinite(each.table["grey_value"])]
        if not len(table):
            continue
        lowest = table.loc[table["grey_value"].idxmin()]
        rows.append(
            {
                "cell": each.cell.name,
                "profile": each.name,
                "way": each.way,
                "length_um": float(table["distance_um"].iloc[-1]),
                "lowest_grey": float(lowest["grey_value"]),
                "lowest_grey_sd": float(lowest["grey_value_sd"]),
                "opening_um": each.opening_um,
                "opening_um_sd": each.opening_um_sd,
            }
        )
    return pd.DataFrame(rows)


def profiles_figure(profiles: Sequence[Profile], cell: Cell) -> Figure | None:
    """Draw the profiles of a cell: lines of the study, and its largest inclusions."""
    own = [each for each in profiles if each.cell.name == cell.name]
    names = list(dict.fromkeys(each.name for each in own if each.way == "line"))
    through = list(dict.fromkeys(each.name for each in own if each.way != "line"))
    names += through[:_SHOWN]
    if not names:
        return None
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure, axes = canvas(lines, columns, (3.9 * columns, 2.7 * lines + 0.4))
    scale = cell.result.grey_scale
    for axis, name in zip(axes, names, strict=False):
        for each in (one for one in own if one.name == name):
            s, g, sd = (each.table[c] for c in ("distance_um", "grey_value", "grey_value_sd"))
            place = s - (s.iloc[-1] / 2 if each.way != "line" else 0.0)
            color = "tab:orange" if each.way == "across" else "tab:blue"
            axis.fill_between(place, g - 1.96 * sd, g + 1.96 * sd, color=color, alpha=0.25, lw=0)
            label = None if each.way == "line" else f"{each.way} it"
            axis.plot(place, g, color=color, lw=1.2, label=label)
        axis.axhline(scale.reference_value, color="0.4", lw=0.7, ls="--")
        axis.axhline(scale.zero, color="0.4", lw=0.7, ls=":")
        axis.set_title(name, fontsize=9)
        axis.set(xlabel="distance (µm)", ylabel="grey value")
    both = [axis.get_legend_handles_labels() for axis in axes[: len(names)]]
    if named := next((each for each in both if each[0]), None):
        figure.legend(*named, fontsize=8, loc="outside lower center", ncols=2)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    figure.suptitle(
        f"{cell.name}: dashed, the electrolyte; dotted, air and lithium; bands, 95 %", fontsize=9
    )
    return figure


def profiles_part(
    cells: Sequence[Cell], profiles: Sequence[Profile], tables: Mapping[str, DataFrame]
) -> Part:
    """Put together the section of the report."""
    return Part(
        "profiles", "Profiles",
        "Grey values along lines, averaged across them: through inclusions along and across, and "
        "along the lines of the study. Lithium and void are not told apart by them; what is "
        "thinner than the blur does not reach the grey value of air.",
        known_figures({
            f"profiles_{number}": (
                profiles_figure(profiles, cell),
                f"Lines through {cell.name}: those of the study, and its largest inclusions.",
            )
            for number, cell in enumerate(cells, 1)
        }),
        known_tables(tables, {
            "profile_numbers": "What each line shows; an opening is that of a gap of air's grey "
            "value that lacks as much.",
        }),
        sources={f"profiles_{number}": "profiles" for number in range(1, len(cells) + 1)},
    )  # fmt: skip
