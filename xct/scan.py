"""Scan: what was measured. In: files of any layout; out: lazy frames, angles and facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from xct.errors import ScanError
from xct.io.frames import Turned, View
from xct.io.scans.angles import given_angles
from xct.io.scans.checks import Window, contradictions
from xct.io.scans.gather import gather
from xct.io.scans.raw import Raw, Request, Stack
from xct.io.scans.repeats import average_repeats
from xct.io.scans.series import fit_angles, other_angles
from xct.io.volume_files.mask import SampleMask, open_mask

Rotation = Literal["positive", "negative"]
Axis = Literal["column", "row"]
Kind = Literal["projections", "flats", "darks"]
_BY_FRAME: dict[str, Kind] = {  # what is known of each frame of a kind
    "theta_deg": "projections",
    "projection_time": "projections",
    "ring_current_ma": "projections",
    "flat_time": "flats",
    "flat_ring_current_ma": "flats",
}
Quantity = Literal["counts", "transmission", "line_integrals"]
# A glob pattern, or {file, path}: a dataset inside an HDF5 file.
Frames = str | Mapping[str, str]


@dataclass(frozen=True)
class Scan:
    """One scan, cropped and binned, with everything known about it.

    Attributes
    ----------
    projections, flats, darks : View
        Lazy frames (frame, row, column); `flats` or `darks` is None where the scan has none.
    theta_deg : ndarray, shape (angle,), or None
        Angle of each projection in degrees; its sign is turned where `rotation` is negative.
        None where nothing says it.
    projection_time, flat_time : ndarray or None
        When each frame was taken, on a common clock: seconds, or positions in the file.
        None where the file does not say in which order flats and projections were taken.
    pixel_size_um, energy_kev, distance_mm : float or None
        Effective detector pixel *before* binning, photon energy, sample to detector.
    rotation : {"positive", "negative"}
        Which way the stage turned.
    center_px : float or None
        Rotation axis in cropped and binned columns, where the user gives it.
    ring_current_ma, flat_ring_current_ma : ndarray, shape (angle,) and (frame,), or None
        Ring current while each projection was taken.
    flat_exposure_ratio : float
        Exposure of a projection over that of a flat: flats, less darks, are to be multiplied
        by it. 1 where the files say nothing else.
    layout : str
        dxchange, nxtomo, p05, tomcat, tiff, ….
    quantity : {"counts", "transmission", "line_integrals"}
        What the values of the projections are. Only counts have flats and darks.
    files : tuple of Path
        Every file that the scan reads.
    origin : dict
        Where each fact came from: the path inside the file, or "configuration".
    notes : tuple of str
        Warnings for the user: links that lead nowhere, frames that were marked invalid, ….
    mask : SampleMask or None
        Where the sample may be, of the user's choice.
    left_out : mapping of str to tuple of int
        Numbers, in the files' stacks, of the projections, flats and darks that are left out.
    """

    projections: View
    flats: View | None
    darks: View | None
    theta_deg: np.ndarray | None
    layout: str
    files: tuple[Path, ...]
    quantity: Quantity = "counts"
    projection_time: np.ndarray | None = None
    flat_time: np.ndarray | None = None
    pixel_size_um: float | None = None
    energy_kev: float | None = None
    distance_mm: float | None = None
    rotation: Rotation = "positive"
    center_px: float | None = None
    ring_current_ma: np.ndarray | None = None
    flat_ring_current_ma: np.ndarray | None = None
    flat_exposure_ratio: float = 1.0
    origin: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    mask: SampleMask | None = None

    @property
    def bin(self) -> int:
        """Pixels summed along each side."""
        return self.projections.bin

    @property
    def roi(self) -> dict[str, tuple[int, int]]:
        """Raw rows and columns that are kept, half-open."""
        return {"row": self.projections.rows, "column": self.projections.columns}

    @property
    def voxel_size_um(self) -> float | None:
        """Edge of a voxel: the unbinned effective pixel, times `bin`."""
        return None if self.pixel_size_um is None else self.pixel_size_um * self.bin

    @property
    def projection_dose(self) -> np.ndarray | None:
        """Dose of each projection in units of the mean one; None where it is not known."""
        return self._doses()[0]

    @property
    def flat_dose(self) -> np.ndarray | None:
        """Dose of each flat in units of the mean projection: ring current × exposure."""
        return self._doses()[1]

    def _doses(self) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
        current, flat_current = self.ring_current_ma, self.flat_ring_current_ma
        if current is None or flat_current is None or self.flats is None:
            if self.flats is None or self.flat_exposure_ratio == 1:
                return None, None
            flat_dose = np.full(self.flats.shape[0], 1 / self.flat_exposure_ratio)
            return np.ones(self.projections.shape[0]), flat_dose
        if not (np.isfinite(current).all() and np.isfinite(flat_current).all()):
            return None, None  # a reader's note says for how many frames it is not known
        mean = current.mean()
        return current / mean, flat_current / mean / self.flat_exposure_ratio

    def numbers(self, kind: Kind) -> np.ndarray:
        """Give the number, in the files' stack, of each frame of a kind that is not left out."""
        view: View | None = getattr(self, kind)
        gone = self.left_out.get(kind, ())
        count = (0 if view is None else view.shape[0]) + len(gone)
        return np.setdiff1d(np.arange(count), np.array(gone, int))

    def without(self, frames: Mapping[str, Sequence[int]]) -> Scan:
        """Give the scan without some frames.

        Parameters
        ----------
        frames : mapping
            Numbers of `projections`, `flats` or `darks`, as in the files' stacks, from 0.

        Raises
        ------
        ScanError
            If there is no such frame, or no projection or flat is left.
        """
        errors: list[str] = []
        kept: dict[str, np.ndarray] = {}
        for kind, wanted in frames.items():
            numbers = self.numbers(_kind(kind))
            absent = sorted(set(wanted) - set(numbers.tolist()) - set(self.left_out.get(kind, ())))
            if absent:
                errors.append(f"leave_out.{kind}: there is no frame {absent[0]} among the {kind}")
            kept[kind] = np.flatnonzero(~np.isin(numbers, list(wanted)))
            if numbers.size and not kept[kind].size and kind != "darks":
                errors.append(f"leave_out.{kind}: no frame is left of {numbers.size}")
        if errors:
            raise ScanError(*errors)
        changes: dict[str, Any] = {
            name: None if value is None else np.asarray(value)[kept[kind]]
            for name, kind in _BY_FRAME.items()
            if kind in kept
            for value in (getattr(self, name),)
        }
        for kind, places in kept.items():
            view: View | None = getattr(self, kind)
            if view is not None:
                left = replace(view, index=view.index[places])
                changes[kind] = left if places.size else None
        gone = {k: tuple(sorted({*self.left_out.get(k, ()), *v})) for k, v in frames.items()}
        return replace(self, **changes, left_out={**self.left_out, **gone})

    @property
    def facts(self) -> dict[str, Any]:
        """What holds for every frame; None where it is not known."""
        return {
            "pixel_size_um": self.voxel_size_um,
            "energy_kev": self.energy_kev,
            "distance_mm": self.distance_mm,
            "frame_shape": self.projections.shape[1:],
        }

    def quantities(self, rows: slice) -> dict[str, Any]:
        """Read some rows, and give everything that stages may ask of the scan, by name."""
        return {
            **self._values(rows),
            "flats": None if self.flats is None else self.flats.read(rows=rows),
            "darks": None if self.darks is None else self.darks.read(rows=rows),
            "projection_time": self.projection_time,
            "flat_time": self.flat_time,
            "projection_dose": self.projection_dose,
            "flat_dose": self.flat_dose,
            "theta_deg": self.theta_deg,
            **self.facts,
            "row_px": np.arange(rows.start, rows.stop),
            **({} if self.mask is None else {"sample_mask": self.mask.read(rows)}),
        }

    def _values(self, rows: slice) -> dict[str, np.ndarray]:
        """Read the projections under the name of what they are."""
        values = self.projections.read(rows=rows)
        if self.quantity == "counts":
            return {"projections": values}
        values = values.astype(np.float32)
        if self.quantity == "line_integrals":
            values[~np.isfinite(values)] = np.nan  # ln 0, which fill_nonpositive repairs
        return {self.quantity: values}

    def describe(self) -> str:
        """Say in a few lines what was measured, and where each fact comes from."""
        return "\n".join(_description(self))


def _description(scan: Scan) -> Iterator[str]:
    count, rows, columns = scan.projections.shape
    yield f"{scan.layout}: {scan.files[0]}" if scan.files else scan.layout
    yield (
        f"  {count} projections of {rows} rows × {columns} columns "
        f"(bin {scan.bin}, raw rows {scan.roi['row']}, columns {scan.roi['column']}), "
        f"{0 if scan.flats is None else scan.flats.shape[0]} flats, "
        f"{0 if scan.darks is None else scan.darks.shape[0]} darks"
    )
    if scan.quantity != "counts":
        yield f"  quantity: the values are {scan.quantity.replace('_', ' ')}, not counts"
    theta = scan.theta_deg
    angles = None if theta is None else f"{theta[0]:g}° … {theta[-1]:g}°"
    facts = {
        "theta_deg": angles,
        "pixel_size_um": scan.pixel_size_um and f"{scan.pixel_size_um:.6g} µm",
        "energy_kev": scan.energy_kev and f"{scan.energy_kev:.6g} keV",
        "distance_mm": scan.distance_mm and f"{scan.distance_mm:.6g} mm",
        "center_px": None if scan.center_px is None else f"{scan.center_px:g}",
        "rotation": scan.rotation,
    }
    for name, value in facts.items():
        origin = scan.origin.get(name)
        yield f"  {name}: {value or 'unknown'}{f' from {origin}' if origin else ''}"
    yield from (f"  note: {note}" for note in scan.notes)


def read_scan(
    path: Path | str | None = None,
    *,
    projections: Frames | None = None,
    flats: Frames | None = None,
    darks: Frames | None = None,
    bin: int = 1,
    roi: Mapping[str, Sequence[int]] | None = None,
    axis: Axis = "column",
    theta_deg: Any = None,
    energy_kev: float | None = None,
    pixel_size_um: float | None = None,
    distance_mm: float | None = None,
    rotation: Rotation = "positive",
    center_px: float | None = None,
    flat_exposure_ratio: float | None = None,
    paths: Mapping[str, str] | None = None,
    links_below: Path | str | None = None,
    leave_out: Mapping[str, Sequence[int]] | None = None,
    quantity: Quantity = "counts",
    mask: Path | str | None = None,
) -> Scan:
    """Read a scan of any layout; frames stay on disk until they are asked for.

    What is said here overrules the files; what neither says stays None.

    Parameters
    ----------
    path : path, optional
        A file or folder: DXchange, NXtomo, P05/P07, TIFF; recognized by content.
    projections, flats, darks : str or mapping, optional
        A glob pattern of TIFF files, or ``{file, path}``: a dataset inside an HDF5 file
        (without `path`, the flats or darks of that scan).
    bin : int, optional
        Pixels summed along each side, after cropping.
    roi : mapping, optional
        Raw pixels to keep: ``{"row": (first, stop), "column": (first, stop)}``, along and across
        the axis of rotation.
    axis : {"column", "row"}, optional
        Along which the axis of rotation runs in a frame. Frames with a horizontal one (row) are
        turned by 90° clockwise: what was at their left is at the top.
    theta_deg : mapping, path or sequence, optional
        ``{first, last, count}`` with the last included, a text file, or the angles; degrees.
    energy_kev, pixel_size_um, distance_mm : float, optional
        Photon energy, effective detector pixel before binning, sample to detector.
    rotation : {"positive", "negative"}, optional
        Which way the stage turned; "negative" turns the sign of the angles.
    center_px : float, optional
        Rotation axis, in cropped and binned columns.
    paths : mapping, optional
        `data`, `image_key`, `theta_deg` inside an HDF5 file, where it does not follow a layout.
    links_below : path, optional
        Folder below which links inside data files may lead; else only the scan's own folder.
    flat_exposure_ratio : float, optional
        Exposure of a projection over that of a flat, where the files do not say it.
    leave_out : mapping, optional
        Numbers of `projections`, `flats` or `darks` that are no good, from 0.
    quantity : {"counts", "transmission", "line_integrals"}, optional
        What the values of the projections are; of data that were corrected before, flats and
        darks are not used.
    mask : path, optional
        Labels or a mask of the slices, 0 outside of the sample; `iterative` keeps to it.

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If files are missing or cannot be read, or facts contradict each other: all
        contradictions in one error.
    """
    for name in set(paths or ()) - {"data", "image_key", "theta_deg"}:
        raise ScanError(f"paths names {name!r}; expected data, image_key or theta_deg")
    request = Request(
        dict(paths or {}),
        None if links_below is None else Path(links_below),
        angles_given=theta_deg is not None,
        angle_count=_count(theta_deg),
    )
    raw = gather(path, {"projections": projections, "flats": flats, "darks": darks}, request)
    errors: list[str] = []
    try:
        facts = {
            "energy_kev": energy_kev,
            "pixel_size_um": pixel_size_um,
            "distance_mm": distance_mm,
            "flat_exposure_ratio": flat_exposure_ratio,
        }
        raw = _overrule(raw, facts)
    except ScanError as error:
        errors += error.errors
    try:
        raw = average_repeats(_with_angles(raw, theta_deg))
    except ScanError as error:
        errors += error.errors
        raw = replace(raw, theta_deg=None)
    errors += contradictions(raw)
    errors += _not_among(axis=(axis, Axis), rotation=(rotation, Rotation))
    errors += _not_among(quantity=(quantity, Quantity))
    if axis == "row":
        raw = _turned(raw)
    window = Window.of(raw.projections.frames.shape, roi, bin)
    errors += window.errors
    columns = window.columns[1] - window.columns[0]
    if center_px is not None and not window.errors and not 0 <= center_px <= columns // bin - 1:
        errors.append(
            f"center_px = {center_px:g} lies outside of the {columns // bin} columns that are "
            "kept; it counts in cropped and binned pixels, from 0"
        )
    if errors:
        raise ScanError(*errors)
    scan = _scan(raw, window, rotation, center_px, quantity).without(leave_out or {})
    if mask is None:
        return scan
    opened = open_mask(mask, scan.projections.shape[1], scan.voxel_size_um)
    return replace(scan, mask=opened, files=(*scan.files, *opened.files))


def _not_among(**choices: tuple[str, Any]) -> Iterator[str]:
    """Say which choices are none of those that their types name."""
    for name, (value, kind) in choices.items():
        if value not in get_args(kind):
            yield f"{name} = {value!r}; expected {' or '.join(get_args(kind))}"


def _turned(raw: Raw) -> Raw:
    def turned(stack: Stack | None) -> Stack | None:
        return stack and replace(stack, frames=Turned(stack.frames))

    return replace(
        raw,
        projections=replace(raw.projections, frames=Turned(raw.projections.frames)),
        flats=turned(raw.flats),
        darks=turned(raw.darks),
    )


def _kind(name: str) -> Kind:
    if name not in ("projections", "flats", "darks"):
        raise ScanError(f"leave_out names {name!r}; expected projections, flats or darks")
    return name  # type: ignore[return-value]


def _count(theta_deg: Any) -> int | None:
    """Count given angles; None where there are none, or (said later) they cannot be read."""
    try:
        return None if theta_deg is None else len(given_angles(theta_deg))
    except ScanError:
        return None


def _with_angles(raw: Raw, theta_deg: Any) -> Raw:
    """Choose the angles of the projections: those that the user gives, or those of the files."""
    angles = fit_angles(raw, theta_deg)
    if theta_deg is None or angles is None:
        return replace(raw, theta_deg=angles)
    note = other_angles(raw, angles)
    return replace(
        raw,
        theta_deg=angles,
        origin={**raw.origin, "theta_deg": "configuration"},
        notes=(*raw.notes, note) if note else raw.notes,
    )


def _overrule(raw: Raw, facts: Mapping[str, float | None]) -> Raw:
    """Lay what the user says over what the files say."""
    said: dict[str, Any] = dict(facts)
    for name, value in said.items():
        if value is not None and not value > 0:
            raise ScanError(f"{name} = {value!r}; expected a positive number")
    known = {name: value for name, value in said.items() if value is not None}
    origin = {**raw.origin, **dict.fromkeys(known, "configuration")}
    return replace(raw, **known, origin=origin)


def _scan(
    raw: Raw, window: Window, rotation: Rotation, center_px: float | None, quantity: Quantity
) -> Scan:
    corrected = quantity != "counts"
    if corrected and not (raw.flats is None and raw.darks is None):
        note = f"flats and darks are not used: the values are said to be {quantity}"
        raw = replace(raw, flats=None, darks=None, notes=(*raw.notes, note))

    def view(stack: Stack | None) -> View | None:
        if stack is None or len(stack.index) == 0:
            return None
        return View(stack.frames, stack.index, window.rows, window.columns, window.bin, corrected)

    projections = view(raw.projections)
    assert projections is not None  # `contradictions` refuses a scan without projections
    sign = -1.0 if rotation == "negative" else 1.0
    origin = dict(raw.origin)
    if rotation == "negative":
        origin["rotation"] = "configuration"
    if center_px is not None:
        origin["center_px"] = "configuration"
    return Scan(
        projections=projections,
        flats=view(raw.flats),
        darks=view(raw.darks),
        theta_deg=None if raw.theta_deg is None else sign * raw.theta_deg,
        layout=raw.layout,
        files=raw.files,
        quantity=quantity,
        projection_time=raw.projections.time,
        flat_time=None if raw.flats is None else raw.flats.time,
        pixel_size_um=raw.pixel_size_um,
        energy_kev=raw.energy_kev,
        distance_mm=raw.distance_mm,
        rotation=rotation,
        center_px=center_px,
        ring_current_ma=raw.ring_current_ma,
        flat_ring_current_ma=raw.flat_ring_current_ma,
        flat_exposure_ratio=raw.flat_exposure_ratio,
        origin=origin,
        notes=raw.notes,
    )
