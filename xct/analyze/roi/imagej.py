"""ROIs of ImageJ. In: ``.roi`` or ``.zip``, a cell; out: ROIs in cell coordinates, and back.

ImageJ outlines pixels of one slice of a stack, such as `xct export --tiff` writes, and knows no
depth. What a region spans beside its slice is kept in the properties of the ROI, which ImageJ keeps
too: the slices, and the surface from which depth is counted. Pixel *i* reaches from *i* to *i* + 1
there, and lies at *i* here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np

from xct.analyze.roi.coordinates import Roi
from xct.analyze.roi.scaled import flat_on_cell
from xct.analyze.roi.shapes import (
    NEAREST,
    BoxRoi,
    LineRoi,
    PolygonRoi,
    SectorRoi,
    roi_from_box,
    roi_from_line,
    roi_from_polygon,
)
from xct.errors import DataError, XctError
from xct.geometry import SURFACES, CellGeometry
from xct.io.atomic import written_whole

ENDINGS = (".roi", ".zip")
_SLICES, _SURFACE = "xct_slices", "xct_surface"


def is_of_imagej(path: Path) -> bool:
    """Whether a file is a ROI of ImageJ, or a zip file of such."""
    try:
        with path.open("rb") as file:
            if file.read(4) == b"Iout":
                return True
        if not is_zipfile(path):
            return False
        with ZipFile(path) as zipped:
            return any(name.lower().endswith(".roi") for name in zipped.namelist())
    except (OSError, BadZipFile):
        return False


def write_imagej(path: Path | str, rois: Sequence[Roi], cell: CellGeometry) -> list[str]:
    """Write ROIs as ImageJ draws them on the slices of a cell.

    Parameters
    ----------
    path : Path
        ``.zip`` for any number, ``.roi`` for one; it appears when it is whole.
    rois : sequence of Roi
        In cell coordinates.
    cell : CellGeometry
        The cell whose stack they are drawn on.

    Returns
    -------
    list of str
        Which ROIs were left out, or were changed, and why.

    Raises
    ------
    XctError
        If none can be drawn, or several shall go into one ``.roi``.
    """
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise XctError(f"{path}: ROIs of ImageJ are a .zip file, or one .roi file")
    made, said = [], []
    for roi in rois:
        try:
            flat = flat_on_cell(roi, cell)
            made.append(_drawn(flat, cell))
        except XctError as error:
            said.append(f"ROI {roi.name} is left out: {error}")
            continue
        if getattr(roi, "follow", False):
            said.append(f"ROI {roi.name} follows its surface; in ImageJ it is flat")
    if not made:
        raise XctError(f"{path}: no ROI can be drawn in ImageJ", *said)
    if path.suffix.lower() == ".roi" and len(made) > 1:
        raise XctError(f"{path}: one .roi file holds one ROI, not {len(made)}; name a .zip file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        if path.suffix.lower() == ".roi":
            temporary.write_bytes(made[0].tobytes())
        else:
            with ZipFile(temporary, "w") as zipped:
                for one in made:
                    zipped.writestr(f"{_file_name(one.name)}.roi", one.tobytes())
    return said


def read_imagej(
    path: Path | str, cell: CellGeometry, *, thickness_um: float | None = None
) -> list[Roi]:
    """Read ROIs that were drawn in ImageJ on the slices of a cell.

    Parameters
    ----------
    path : Path
        A ``.roi`` file, or a ``.zip`` file of such.
    cell : CellGeometry
        The cell whose stack they were drawn on.
    thickness_um : float, optional
        How thick ROIs are, about the slice that they were drawn on, that do not say it.

    Returns
    -------
    list of Roi
        In the order of the file, in cell coordinates; depth counts from the surface that the ROI
        names, else from the nearest one.

    Raises
    ------
    XctError
        With every ROI that cannot be read, and why.
    """
    path = Path(path)
    if not path.is_file():
        raise XctError(f"{path}: no such file")
    if not is_of_imagej(path):
        raise XctError(f"{path}: holds no ROI of ImageJ")
    found, errors = [], []
    for number, (name, one) in enumerate(_read(path), 1):
        try:
            found.append(_in_cell(one, name, cell, thickness_um))
        except XctError as error:
            errors.append(f"{path}: ROI {name or number}: {error}")
    names = [roi.name for roi in found]
    errors += [
        f"{path}: several ROIs are called {name!r}; rename them in ImageJ"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if errors:
        raise XctError(*errors)
    return found


def _read(path: Path) -> list[tuple[str, Any]]:
    """Give the name and the ROI of each file."""
    import roifile

    try:
        if not is_zipfile(path):
            one = roifile.ImagejRoi.frombytes(path.read_bytes())
            return [(one.name or path.stem, one)]
        with ZipFile(path) as zipped:
            files = [name for name in zipped.namelist() if name.lower().endswith(".roi")]
            read = [(name, roifile.ImagejRoi.frombytes(zipped.read(name))) for name in files]
        return [(one.name or Path(name).stem, one) for name, one in read]
    except (OSError, BadZipFile, ValueError, IndexError, TypeError) as error:
        raise XctError(f"{path}: cannot be read as ROIs of ImageJ: {error}") from None


def _file_name(name: str) -> str:
    return "".join(letter if letter not in '/\\:*?"<>|' else "_" for letter in name)


# To ImageJ.


def _drawn(roi: Roi, cell: CellGeometry) -> Any:
    """Make the ROI of ImageJ, on the middle slice of those that it spans."""
    if isinstance(roi, PolygonRoi) and roi.along != "depth":
        raise DataError(f"its outline does not lie in a slice but across {roi.along}")
    if isinstance(roi, LineRoi):
        return _drawn_line(roi, cell)
    z, y, x = roi.region(cell).slices
    made = _outlined(roi, cell, y, x)
    return _finished(made, roi, (z.start, z.stop - 1))


def _outlined(roi: Roi, cell: CellGeometry, y: slice, x: slice) -> Any:
    import roifile

    if isinstance(roi, BoxRoi) or _is_disc(roi):
        kind = roifile.ROI_TYPE.RECT if isinstance(roi, BoxRoi) else roifile.ROI_TYPE.OVAL
        made = roifile.ImagejRoi(roitype=kind)
        made.top, made.left, made.bottom, made.right = y.start, x.start, y.stop, x.stop
        return made
    corners = roi.corners(cell)[:, [2, 1]] + 0.5  # x first
    made = roifile.ImagejRoi.frompoints(corners.astype(np.float32))
    made.roitype = roifile.ROI_TYPE.POLYGON
    return made


def _is_disc(roi: Roi) -> bool:
    if not isinstance(roi, SectorRoi) or roi.radius_um[0] > 0:
        return False
    return roi.azimuth_deg[1] - roi.azimuth_deg[0] == 360


def _drawn_line(roi: LineRoi, cell: CellGeometry) -> Any:
    import roifile

    (z0, y0, x0), (z1, y1, x1) = roi.corners(cell)
    if abs(z1 - z0) > 1:
        raise DataError("it runs through several slices")
    made = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE)
    made.x1, made.y1, made.x2, made.y2 = (float(v) + 0.5 for v in (x0, y0, x1, y1))
    width = roi.width_um / cell.voxel_size_um[2]
    made.stroke_width = max(1, round(width))
    middle = round((z0 + z1) / 2)
    return _finished(made, roi, (middle, middle))


def _finished(made: Any, roi: Roi, slices: tuple[int, int]) -> Any:
    import roifile

    made.name = roi.name
    made.version = 228
    if made.roitype in (roifile.ROI_TYPE.POLYGON, roifile.ROI_TYPE.LINE):  # others are in pixels
        made.options |= roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    made.position = sum(slices) // 2 + 1  # ImageJ counts from 1
    lines = (f"{_SLICES}: {slices[0]}-{slices[1]}", f"{_SURFACE}: {roi.surface or 'none'}")
    made.props = "".join(f"{line}\n" for line in lines)
    return made


# From ImageJ.


def _in_cell(one: Any, name: str, cell: CellGeometry, thickness_um: float | None) -> Roi:
    import roifile

    kinds = roifile.ROI_TYPE
    props = _properties(one.props or "")
    surface = _surface(props.get(_SURFACE))
    if one.roitype == kinds.LINE:
        start, stop = (
            (_slice_of(one), float(y) - 0.5, float(x) - 0.5) for x, y in one.coordinates()
        )
        width_um = max(1, one.stroke_width) * cell.voxel_size_um[2]
        return roi_from_line(cell, name, start, stop, width_um, surface)
    if one.roitype not in (kinds.RECT, kinds.OVAL, kinds.POLYGON, kinds.FREEHAND, kinds.TRACED):
        raise DataError(
            f"is of the kind {one.roitype.name.lower()}; rectangles, ovals, polygons, outlines "
            "drawn freehand and straight lines can be read"
        )
    span = _span(one, props.get(_SLICES), cell, thickness_um)
    if one.roitype == kinds.RECT:
        y, x = slice(one.top, one.bottom), slice(one.left, one.right)
        return roi_from_box(cell, name, (span, y, x), surface)
    corners = _ellipse(one) if one.roitype == kinds.OVAL else np.asarray(one.coordinates(), float)
    return roi_from_polygon(cell, name, corners[:, ::-1] - 0.5, span, surface=surface)


def _properties(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _slice_of(one: Any) -> int:
    """Give the slice that a ROI was drawn on; ImageJ counts from 1, 0 is none."""
    place = int(max(one.position, one.z_position)) - 1
    if place < 0:
        raise DataError(
            "does not say on which slice it was drawn; draw it on the stack, and add it to the "
            "ROI manager there"
        )
    return place


def _ellipse(one: Any) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    x, y = (one.left + one.right) / 2, (one.top + one.bottom) / 2
    half_x, half_y = (one.right - one.left) / 2, (one.bottom - one.top) / 2
    return np.stack([x + half_x * np.cos(turn), y + half_y * np.sin(turn)], -1)


def _surface(said: str | None) -> str | None:
    if said is None:
        return NEAREST
    if said == "none":
        return None
    if said not in SURFACES:
        raise DataError(f"{_SURFACE}: {said!r} is not one of {', '.join(SURFACES)}, none")
    return said


def _span(one: Any, said: str | None, cell: CellGeometry, thickness_um: float | None) -> slice:
    """Give the slices that a ROI spans: those that it says, else some about its own."""
    if said is not None:
        first, _, last = said.partition("-")
        try:
            return slice(int(first), int(last) + 1)
        except ValueError:
            raise DataError(f"{_SLICES}: {said!r} is not FIRST-LAST, such as 120-180") from None
    if thickness_um is None:
        raise DataError(
            "says nothing of its depth; give how thick it is by --thickness-um, or, as a property "
            f"in ImageJ, the slices that it spans, {_SLICES}: FIRST-LAST (they count from 0)"
        )
    count = max(1, round(thickness_um / cell.voxel_size_um[0]))
    start = _slice_of(one) - (count - 1) // 2
    return slice(max(start, 0), min(start + count, cell.shape[0]))
