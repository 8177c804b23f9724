"""Scan: what was measured. In: files of any layout; out: lazy frames, angles and facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xct.io.frames import View

Rotation = Literal["positive", "negative"]


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
        None where the file does not tell in which order flats and projections were taken.
    pixel_size_um, energy_kev, distance_mm : float or None
        Effective detector pixel *before* binning, photon energy, sample to detector.
    rotation : {"positive", "negative"}
        Which way the stage turned.
    center_px : float or None
        Rotation axis in cropped and binned columns, where the user gives it.
    layout : str
        dxchange, nxtomo, p05 or tiff.
    files : tuple of Path
        Every file that the scan reads.
    origin : dict
        Where each fact came from: the path inside the file, or "configuration".
    notes : tuple of str
        Remarks for the user: links that lead nowhere, frames that were marked invalid, ….
    """

    projections: View
    flats: View | None
    darks: View | None
    theta_deg: np.ndarray | None
    layout: str
    files: tuple[Path, ...]
    projection_time: np.ndarray | None = None
    flat_time: np.ndarray | None = None
    pixel_size_um: float | None = None
    energy_kev: float | None = None
    distance_mm: float | None = None
    rotation: Rotation = "positive"
    center_px: float | None = None
    ring_current_ma: np.ndarray | None = None
    origin: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_scan(path: Path | str | None = None, **overrides: Any) -> Scan:
    """Read a scan of any layout."""
    raise NotImplementedError
