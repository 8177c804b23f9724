"""Raw: what a reader found in the files, before configuration, cropping and binning."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xct.io.frames import Frames


@dataclass(frozen=True)
class Stack:
    """Frames of one kind: which frames of a file they are, and when they were taken.

    `index` is in order of time. `time` is on one clock for all stacks of a scan: seconds, or
    the position in the file where order is all that is known; None where not even that is.
    """

    frames: Frames
    index: np.ndarray
    time: np.ndarray | None = None


@dataclass(frozen=True)
class Series:
    """The projections that were planned, and which of them are there.

    Attributes
    ----------
    place : ndarray of int, shape (projection,), or None
        Place of each projection in the series that was planned, from 0; None where no counter
        says it.
    planned : int or None
        Length of that series, where something says it.
    where : str
        What counts.
    before : int
        Numbers of the counter below the first one, from 0 on, where it begins late.
    """

    place: np.ndarray | None
    planned: int | None
    where: str
    before: int = 0


@dataclass(frozen=True)
class Raw:
    """Everything that the files of one scan say. None: they do not say it.

    `ring_current_ma` has one value per projection, `flat_ring_current_ma` one per flat, both NaN
    where it is not known. `flat_exposure_ratio` is the exposure of a
    projection over that of a flat.
    """

    layout: str
    files: tuple[Path, ...]
    projections: Stack
    flats: Stack | None = None
    darks: Stack | None = None
    theta_deg: np.ndarray | None = None
    pixel_size_um: float | None = None
    energy_kev: float | None = None
    distance_mm: float | None = None
    ring_current_ma: np.ndarray | None = None
    flat_ring_current_ma: np.ndarray | None = None
    flat_exposure_ratio: float = 1.0
    series: Series | None = None
    origin: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What the user says about where to look.

    `paths` inside HDF5, how far links may lead, and whether angles are given, so that those of
    the files may be unreadable; `angle_count` is their number, where it is known.
    """

    paths: dict[str, str] = field(default_factory=dict)
    links_below: Path | None = None
    angles_given: bool = False
    angle_count: int | None = None
