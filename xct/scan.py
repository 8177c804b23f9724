"""Scan: what was measured, as lazy frames, angles and facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xct.errors import ScanError
from xct.io.frames import View
from xct.io.volume_files.mask import SampleMask

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


def _kind(name: str) -> Kind:
    if name not in ("projections", "flats", "darks"):
        raise ScanError(f"leave_out names {name!r}; expected projections, flats or darks")
    return name  # type: ignore[return-value]
