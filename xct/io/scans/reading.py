"""Reading a scan. In: files of any layout, and what the user says; out: a scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from xct.errors import ScanError
from xct.io.frames import Turned, View
from xct.io.scans.angles import given_angles
from xct.io.scans.checks import Window, contradictions
from xct.io.scans.gather import gather
from xct.io.scans.raw import Raw, Request, Stack
from xct.io.scans.repeats import average_repeats
from xct.io.scans.series import fit_angles, other_angles
from xct.io.volume_files.mask import open_mask
from xct.scan import Axis, Frames, Quantity, Rotation, Scan


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
    facts = {
        "energy_kev": energy_kev,
        "pixel_size_um": pixel_size_um,
        "distance_mm": distance_mm,
        "flat_exposure_ratio": flat_exposure_ratio,
    }
    raw, errors = _with_what_is_said(raw, facts, theta_deg)
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


def _with_what_is_said(
    raw: Raw, facts: Mapping[str, float | None], theta_deg: Any
) -> tuple[Raw, list[str]]:
    """Lay what the user says over what the files say, and list what cannot be so."""
    errors: list[str] = []
    try:
        raw = _overrule(raw, facts)
    except ScanError as error:
        errors += error.errors
    try:
        raw = average_repeats(_with_angles(raw, theta_deg))
    except ScanError as error:
        errors += error.errors
        raw = replace(raw, theta_deg=None)
    return raw, errors


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
