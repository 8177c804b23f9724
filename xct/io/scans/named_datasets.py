"""FXI (NSLS-II) and LNLS. In: HDF5 files with datasets of fixed names at the root; out: Raw."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from xct.io.hdf5.source import Source
from xct.io.scans.raw import Raw, Request, Stack
from xct.io.units import unit_factor


@dataclass(frozen=True)
class _Names:
    """Where a layout keeps what: datasets at the root of one file, or of three beside each other.

    Of several names, the first one that is there counts.
    """

    layout: str
    projections: str
    flats: tuple[str, ...]
    darks: tuple[str, ...]
    theta_deg: tuple[str, ...]
    files: tuple[str, str, str] | None = None
    also: tuple[str, ...] = ()


_FXI = _Names(
    layout="fxi",
    projections="/img_tomo",
    flats=("/img_bkg", "/img_bkg_avg"),
    darks=("/img_dark", "/img_dark_avg"),
    theta_deg=("/angle",),
    also=("/img_bkg", "/img_bkg_avg", "/angle"),
)
_LNLS = _Names(
    layout="lnls",
    projections="/images",
    flats=("/flats", "/images"),
    darks=("/darks", "/images"),
    theta_deg=("/angles", "/theta", "/angle"),
    files=("tomo.h5", "tomo_flat_before.h5", "tomo_dark_before.h5"),
)


def recognizes(path: Path) -> bool:
    """Whether the path is a file of FXI, or a folder, or a file tomo.h5 in it, of LNLS."""
    file = _main_file(path)
    if file is None:
        return False
    with Source(file, Request()) as source:
        return _names(file, source) is not None


def _main_file(path: Path) -> Path | None:
    assert _LNLS.files is not None
    file = path / _LNLS.files[0] if path.is_dir() else path
    return file if file.is_file() and h5py.is_hdf5(file) else None


def _names(file: Path, source: Source) -> _Names | None:
    if source.has(_FXI.projections) and any(source.has(name) for name in _FXI.also):
        return _FXI
    assert _LNLS.files is not None
    beside = any((file.parent / name).is_file() for name in _LNLS.files[1:])
    if file.name == _LNLS.files[0] and beside and source.has(_LNLS.projections):
        return _LNLS
    return None


def read(path: Path, request: Request) -> Raw:
    """Read a scan of FXI or LNLS.

    Parameters
    ----------
    path : Path
        The file; of LNLS also its folder.
    request : Request
        How far links may lead.

    Raises
    ------
    ScanError
        If what stands under the names is no stack of frames.
    """
    file = _main_file(path)
    assert file is not None  # `recognizes` found it
    with Source(file, request) as source:
        names = _names(file, source)
        assert names is not None
        theta_path = source.first(*names.theta_deg)
        theta = None if theta_path is None else source.angles(theta_path)
        frames = source.frames(
            names.projections, request.angle_count if theta is None else len(theta)
        )
        written = source.written(names.projections, frames)
        if theta is not None and len(theta) == frames.shape[0]:
            theta = theta[written]
        flats, files_of_flats, notes_of_flats = _stack(source, names, "flats", request)
        darks, files_of_darks, notes_of_darks = _stack(source, names, "darks", request)
        files = (*source.files, *files_of_flats, *files_of_darks)
        notes = (*source.notes, *notes_of_flats, *notes_of_darks)
        return Raw(
            layout=names.layout,
            projections=Stack(frames, written),
            theta_deg=theta,
            pixel_size_um=_pixel_size_um(source),
            energy_kev=_energy_kev(source),
            files=tuple(dict.fromkeys(files)),
            flats=flats,
            darks=darks,
            origin=source.origin,
            notes=tuple(dict.fromkeys(notes)),
        )


def _stack(
    source: Source, names: _Names, kind: str, request: Request
) -> tuple[Stack | None, list[Path], list[str]]:
    """Get flats or darks, from this file or the one beside it."""
    paths = names.flats if kind == "flats" else names.darks
    if names.files is None:
        path = source.first(*paths)
        return (None if path is None else _all(source, path)), [], []
    file = source.file.parent / names.files[1 if kind == "flats" else 2]
    if not file.is_file():
        return None, [], []
    with Source(file, request) as other:
        path = other.first(*paths)
        stack = None if path is None else _all(other, path)
        return stack, list(other.files), other.notes


def _all(source: Source, path: str) -> Stack:
    frames = source.frames(path)
    return Stack(frames, np.arange(frames.shape[0]))


def _pixel_size_um(source: Source) -> float | None:
    """Read a pixel size, which FXI writes as text with its unit: "20nm"."""
    path = source.first("/pixel_size", "/Pixel Size")
    if path is None:
        return None
    text = source.text(path) or ""
    match = re.fullmatch(r"\s*([\d.]+(?:[eE][-+]?\d+)?)\s*([A-Za-zµμ]+)\s*", text)
    factor = None if match is None else unit_factor(match[2], "um")
    if match is not None and factor is not None:
        source.origin["pixel_size_um"] = f"{path} ({text.strip()})"
        return float(match[1]) * factor
    return source.fact("pixel_size_um", "um", path)


def _energy_kev(source: Source) -> float | None:
    """Read the energy, which FXI writes in keV without a unit."""
    if source.find("/X_eng") is None:
        return None
    if source.unit("/X_eng") is not None:
        return source.fact("energy_kev", "keV", "/X_eng")
    value = source.number("/X_eng", least=0.0)
    if value is not None:
        source.origin["energy_kev"] = "/X_eng (no unit: taken as keV)"
    return value
