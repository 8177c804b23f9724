"""Glare in a photon-starved cathode, found and corrected. In: a folder; out: JSON, a table.

Particles that drifted into the electrolyte hold as much lithium as those of the cathode, here.
Their grey values differ by what the scan does to planes that hardly pass light.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studies.photon_starved_cathode.frames import SlabFrames
from studies.photon_starved_cathode.slab import (
    CENTRE_UM,
    SIZES,
    WALL_UM,
    PhotonStarvedSlab,
    make_slab,
)
from xct.bench.machine import describe
from xct.io.atomic import write_json
from xct.normalize import electrolyte_reference
from xct.parallel.blocks import Voxels
from xct.preprocess import fill_nonpositive, glare, line_integrals, low_signal, stripes
from xct.preprocess.veiling.frame_light import FrameLight
from xct.preprocess.veiling.measurement import Glare, measure_glare
from xct.reconstruct import fbp

log = logging.getLogger("studies")

FRACTIONS = (0.003, 0.01)
STEPS = ("uncorrected", "glare", "glare + low_signal")
EQUAL = 0.1  # relative difference of attenuation that is tolerated
_ROWS_AT_ONCE = 8
_SECTORS, _RINGS = 12, 3  # blocks of the cathode's middle whose scatter gives the uncertainty
_LEAST_VOXELS = 200
_MARGIN_WIDTHS = 10.0
_ZERO, _STEP = 20_000.0, 2_100.0
_INTERVAL = 1.96


def run_study(out: Path, size: str) -> str:
    """Scan a slab with glare, and compare drifted particles with the cathode's middle.

    Parameters
    ----------
    out : path
        Folder for ``photon_starved_cathode.json``, and line integrals while it runs.
    size : {"quick", "full"}
        A narrow cell in the middle of plain composite, as wide as the bore, or the full bore drawn
        (20 minutes, 7 GiB).

    Returns
    -------
    str
        The table.
    """
    out.mkdir(parents=True, exist_ok=True)
    slab = make_slab(SIZES[size], out)
    rows = [row for fraction in FRACTIONS for row in measured(slab, fraction)]
    (out / "line_integrals.npy").unlink()
    dark = darkest(slab)
    found = {"machine": describe(), "size": size, "rows": rows, "transmission": dark}
    write_json(out / "photon_starved_cathode.json", found)
    return _table(rows, size, dark)


def darkest(slab: PhotonStarvedSlab) -> tuple[float, float]:
    """Give the transmission through the cathode along a diameter: its 1st and 99th percentile."""
    middle = slice(slab.line_integrals.shape[2] // 2 - 50, slab.line_integrals.shape[2] // 2 + 50)
    behind = slab.line_integrals[:, slab.front_row + slab.cell.shape[0] // 4 :, middle]
    low, high = np.exp(-np.percentile(behind, (99, 1)))
    return float(low), float(high)


def measured(
    slab: PhotonStarvedSlab,
    fraction: float,
    *,
    steps: Sequence[str] = STEPS,
    margin_widths: float = _MARGIN_WIDTHS,
) -> list[dict[str, Any]]:
    """Scan a slab with a fraction of glare; a row of the table for each way to reconstruct it."""
    frames = SlabFrames(
        slab.line_integrals, slab.front_row, 2 * slab.cell.bore_radius_um, WALL_UM,
        slab.cell.voxel_size_um[1], fraction,
    )  # fmt: skip
    transmission = frames.transmission()
    light = frames.light(transmission)
    found = measure_glare(light)
    log.info("glare %g: found %s", fraction, found)
    rows = []
    for step in steps:
        volume = reconstructed(slab, frames, transmission, light, step)
        row = {"glare": fraction, "found": found.fraction if found else None,
               "found_sd": found.sd if found else None, "step": step}  # fmt: skip
        taken = found if step != STEPS[0] else None
        rows.append(row | compared(slab, volume, taken, margin_widths=margin_widths))
        log.info("%s", rows[-1])
    return rows


def reconstructed(
    slab: PhotonStarvedSlab,
    frames: SlabFrames,
    transmission: np.ndarray,
    light: FrameLight,
    step: str,
) -> np.ndarray:
    """Reconstruct as the recipe does, with or without the stages for low signal."""
    _, rows, columns = slab.line_integrals.shape
    volume = np.empty((rows, columns, columns), np.float32)
    flats, darks = frames.fields
    for first in range(0, rows, _ROWS_AT_ONCE):
        part = slice(first, min(first + _ROWS_AT_ONCE, rows))
        passed = transmission[:, part]
        if step != STEPS[0]:
            number = frames.first_row + np.arange(part.start, part.stop)
            passed = glare(passed, light, number, pixel_size_um=frames.voxel_um)
        if step == STEPS[2]:
            passed = low_signal(passed)
        integrals = fill_nonpositive(line_integrals(passed), flats[:, part], darks[:, part])
        volume[part] = fbp(
            stripes(integrals), slab.theta_deg, (columns - 1) / 2, pixel_size_um=frames.voxel_um
        )
    return volume


def compared(
    slab: PhotonStarvedSlab,
    volume: Voxels,
    found: Glare | None,
    *,
    margin_widths: float = _MARGIN_WIDTHS,
) -> dict[str, Any]:
    """Compare normalized grey values of drifted particles and of the cathode's middle.

    Parameters
    ----------
    slab : PhotonStarvedSlab
        Where cores of particles are.
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    found : Glare or None
        Glare that was taken out; None: none was.
    margin_widths : float, optional
        How far from the front the electrolyte is a reference, in widths of the point spread: the
        front is rough, and a slab has no height map of it.
    """
    reference = electrolyte_reference(volume, slab.cell, margin_widths=margin_widths)
    z, y, x = slab.voxels.T
    voxel = slab.cell.voxel_size_um[1]
    off_y, off_x = y * voxel - slab.cell.axis_y_um, x * voxel - slab.cell.axis_x_um
    radius = np.hypot(off_y, off_x)
    relative = np.asarray(volume[z, y, x]) / reference.mu_per_cm(z * voxel, radius)
    sector = ((np.arctan2(off_y, off_x) / (2 * np.pi) + 0.5) * _SECTORS).astype(int) % _SECTORS
    ring = np.minimum((radius / CENTRE_UM) ** 2 * _RINGS, _RINGS - 1).astype(int)
    block = np.where(slab.drifted, slab.particle, ring * _SECTORS + sector)
    drifted, drifted_sd, n_drifted = _mean(relative[slab.drifted], block[slab.drifted], 1)
    middle, middle_sd, _ = _mean(relative[~slab.drifted], block[~slab.drifted], _LEAST_VOXELS)
    ratio = middle / drifted
    noise = ratio * float(np.hypot(drifted_sd / drifted, middle_sd / middle))
    left = _left(slab, found)
    sd = float(np.hypot(noise, left * ratio))
    return {
        "drifted_gv": _ZERO + _STEP * drifted, "drifted_gv_sd": _STEP * drifted_sd,
        "middle_gv": _ZERO + _STEP * middle, "middle_gv_sd": _STEP * middle_sd,
        "ratio": ratio, "ratio_sd": sd, "n_drifted": n_drifted,
        "n_middle": len(np.unique(slab.particle[~slab.drifted])),
        "verdict": verdict(ratio, sd), "glare_verdict": str(reference.glare["verdict"]),
    }  # fmt: skip


def verdict(ratio: float, sd: float) -> str:
    """Judge whether two attenuations are equal within a tenth, by their ratio and its interval."""
    difference, half_width = abs(ratio - 1), _INTERVAL * sd
    if difference + half_width <= EQUAL:
        return "equal"
    return "different" if difference - half_width > EQUAL else "undecidable"


def _mean(values: np.ndarray, block: np.ndarray, least: int) -> tuple[float, float, int]:
    """Mean, its standard deviation by the scatter of blocks' means, and the number of blocks."""
    count = np.bincount(block)
    sums = np.bincount(block, values)
    good = count >= least
    if good.sum() < 2:
        return float("nan"), float("nan"), int(good.sum())
    weight = count[good] / count[good].sum()
    means = sums[good] / count[good]
    mean = float(weight @ means)
    variance = float(weight**2 @ (means - mean) ** 2) * good.sum() / (good.sum() - 1)
    return mean, float(np.sqrt(variance)), int(good.sum())


def _left(slab: PhotonStarvedSlab, found: Glare | None) -> float:
    """Relative uncertainty of the middle's attenuation from that of the fraction of glare."""
    if found is None:
        return 0.0
    passed = darkest(slab)[0]
    return float(np.log1p(found.sd / passed) / -np.log(passed))


def _table(rows: list[dict[str, Any]], size: str, dark: tuple[float, float]) -> str:
    first = rows[0]
    lines = [
        f"photon-starved slab ({size}): the cathode passes {100 * dark[0]:.2g} … "
        f"{100 * dark[1]:.2g} % along a diameter; cores of {first['n_drifted']} drifted particles "
        "and of "
        f"{first['n_middle']} within {CENTRE_UM:g} µm of the axis, equal lithium content",
        f"{'glare':>7}{'found':>20}  {'corrected by':<21}{'drifted (GV)':>16}{'middle (GV)':>16}"
        f"{'ratio of μ':>18}  verdict",
    ]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(row: Mapping[str, Any]) -> str:
    found = "none" if row["found"] is None else f"{row['found']:.5f} ± {row['found_sd']:.5f}"
    drifted, middle = (
        f"{row[name]:.0f} ± {row[name + '_sd']:.0f}" for name in ("drifted_gv", "middle_gv")
    )
    ratio = f"{row['ratio']:.4f} ± {row['ratio_sd']:.4f}"
    return (
        f"{row['glare']:>7g}{found:>20}  {row['step']:<21}{drifted:>16}{middle:>16}{ratio:>18}"
        f"  {row['verdict']}"
    )
