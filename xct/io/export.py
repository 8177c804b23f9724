"""Export: a volume as a TIFF stack that ImageJ opens with its voxel size and its scale."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import tifffile

from xct.errors import ConfigError, show_bytes
from xct.io.atomic import free_disk
from xct.io.volumes import Volume

Window = tuple[float, float]


def parse_window(text: str | None) -> Window | None:
    """Read ``A,B`` in 1/cm.

    Raises
    ------
    ConfigError
        If it is not two ascending numbers.
    """
    if text is None:
        return None
    try:
        lowest, highest = (float(part) for part in text.split(","))
    except ValueError:
        lowest = highest = 0.0
    if not -np.inf < lowest < highest < np.inf:
        raise ConfigError(
            f"--window {text}: expected two ascending numbers in 1/cm, such as --window 0,60"
        )
    return lowest, highest


def export_tiff(
    volume: Volume, folder: Path, *, bits: int = 32, window: Window | None = None
) -> str:
    """Write one TIFF file a slice.

    Parameters
    ----------
    volume : Volume
        What to export.
    folder : Path
        Where to; must not exist, or be empty.
    bits : {8, 16, 32}
        32: μ in 1/cm. 8 and 16: the window mapped to all codes; ImageJ shows 1/cm from the
        calibration in the file.
    window : (float, float), optional
        Range of μ in 1/cm for 8 and 16 bits; values beyond are counted and set to its end.
        The range of the data, if not given: the volume is then read twice.

    Returns
    -------
    str
        What was written, with the number of values beyond the window.

    Raises
    ------
    ConfigError
        If the folder holds files, or the disk is too small.
    """
    if bits == 32 and window is not None:
        raise ConfigError("--window: 32 bits hold every value as it is; leave the window out")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--tiff {folder}: holds files already; name a new folder")
    count = volume.shape[0]
    size = int(np.prod(volume.shape)) * bits // 8
    if size > free_disk(folder):
        free = show_bytes(free_disk(folder))
        raise ConfigError(f"--tiff {folder}: needs {show_bytes(size)}, but {free} are free")
    if bits < 32 and window is None:
        window = _range(volume)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    part.mkdir(parents=True)
    beyond = 0
    try:
        for z in range(count):
            image, outside = _coded(volume.read(z), bits, window)
            beyond += outside
            name = part / f"slice_{z:0{max(4, len(str(count)))}d}.tif"
            _write(name, image, volume.voxel_size_um, bits, window)
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    report = f"wrote {count} slices of {bits} bits to {folder}"
    if window is not None and bits < 32:
        report += f"; window {window[0]:g} to {window[1]:g} 1/cm, {beyond} values beyond it"
    return report


def _range(volume: Volume) -> Window:
    lowest, highest = np.inf, -np.inf
    for z in range(volume.shape[0]):
        image = volume.read(z)
        lowest, highest = min(lowest, image.min()), max(highest, image.max())
    return float(lowest), float(max(highest, lowest + 1e-6))


def _coded(image: np.ndarray, bits: int, window: Window | None) -> tuple[np.ndarray, int]:
    if window is None or bits == 32:
        return image, 0
    lowest, highest = window
    top = 2**bits - 1
    codes = np.rint((image - lowest) * (top / (highest - lowest)))
    beyond = np.count_nonzero((codes < 0) | (codes > top))
    return np.clip(codes, 0, top).astype(f"uint{bits}"), int(beyond)


def _write(
    path: Path,
    image: np.ndarray,
    voxel: tuple[float, float, float],
    bits: int,
    window: Window | None,
) -> None:
    facts: dict[str, object] = {"unit": "micron", "spacing": voxel[0], "axes": "YX"}
    if window is not None and bits < 32:
        slope = (window[1] - window[0]) / (2**bits - 1)
        # ImageJ's linear calibration function: value = c0 + c1 · code
        facts |= {"cf": 0, "c0": window[0], "c1": slope, "vunit": "1/cm"}
    tifffile.imwrite(
        path, image, imagej=True, resolution=(1 / voxel[2], 1 / voxel[1]), metadata=facts
    )
