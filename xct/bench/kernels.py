"""`xct bench stages`: what each step of preprocessing takes, beside its peer and its target."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xct.bench.figures import Target, machine_line, table, targets_table, write_figures
from xct.bench.machine import installed
from xct.bench.rawscan import Counts, draw_counts
from xct.bench.stripes.timing import OURS, OURS_ONE, THEIRS, THEIRS_ONE, measure_stripes
from xct.bench.timing import Task, entry, in_turns
from xct.phantom import project_discs, random_discs
from xct.physics.materials import wavelength_um
from xct.preprocess import (
    bin_frames,
    fill_dead_pixels,
    fill_nonpositive,
    find_center,
    line_integrals,
    outliers,
    phase_retrieval,
    stripes,
)

# How long `find_center` takes, and its error, on noisy discs.

# For the time: angles, rows, columns. For the error: how many cases, angles, rows, columns.
_TIMED: Mapping[str, tuple[int, int, int]] = {"quick": (600, 20, 640), "full": (2400, 20, 2560)}
_CASES: Mapping[str, tuple[int, int, int, int]] = {
    "quick": (10, 400, 6, 320),
    "full": (50, 901, 6, 1024),
}
_BEAM = 10_000.0


def measure_axis(size: str) -> dict[str, Any]:
    """Time `find_center`, and find its errors on many cases.

    Returns
    -------
    dict
        `seconds` with the size that they belong to; `cases`, with the median and the largest
        error in pixels.
    """
    angles, rows, columns = _TIMED[size]
    theta_deg, integrals, _ = draw_case(0, angles, rows, columns)
    timing = in_turns({"": Task(lambda: find_center(integrals, theta_deg))})[""]
    count, *shape = _CASES[size]
    errors = [error_of_case(number, *shape) for number in range(count)]
    return {
        "shape": [angles, rows, columns],
        "seconds": timing.seconds,
        "runs": timing.runs,
        "first_call_seconds": timing.first_call,
        "cases": count,
        "shape_of_a_case": shape,
        "median_error_px": float(np.median(errors)),
        "largest_error_px": float(max(errors)),
    }


def error_of_case(number: int, angles: int, rows: int, columns: int) -> float:
    """Distance of the axis that is found from the true one, in pixels."""
    theta_deg, integrals, axis_px = draw_case(number, angles, rows, columns)
    return abs(find_center(integrals, theta_deg).center_px - axis_px)


def draw_case(
    seed: int, angles: int, rows: int, columns: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Draw discs with counting noise and stripes, the axis up to 5 % from the middle.

    Returns
    -------
    theta_deg : ndarray, shape (angle,)
        Angles.
    line_integrals : ndarray of float32, shape (angle, row, column)
        What a detector would give.
    axis_px : float
        Where the axis is.
    """
    rng = np.random.default_rng((1, seed))
    axis_px = (columns - 1) / 2 + rng.uniform(-0.05, 0.05) * columns
    theta_deg = np.arange(angles) * 180.0 / angles
    discs = random_discs(100, columns, seed=seed, fill=0.85)
    exact = project_discs(discs, theta_deg, columns, axis_px)
    exact *= 2.0 / exact.max()
    line_integrals = np.empty((angles, rows, columns), np.float32)
    for row in range(rows):
        own = exact * (1 + 0.02 * row)
        noise = rng.standard_normal((angles, columns), dtype=np.float32)
        line_integrals[:, row] = own + noise * np.sqrt(np.exp(own) / _BEAM)
        line_integrals[:, row] += rng.normal(0, 0.01, columns)
    return theta_deg, line_integrals, axis_px


log = logging.getLogger("xct")

BINNING = "bin_frames 2 × 2"
NUMPY = "NumPy: flat field and −log"
RETRIEVAL = "phase_retrieval"
RETRIEVAL_NUMPY = "NumPy: Paganin's formula"
RETRIEVAL_THEIRS = "algotom: Fresnel filter"
_SCAN: dict[str, Any] = {"energy_kev": 20.0, "distance_mm": 40.0, "pixel_size_um": 1.625}
_DELTA_OVER_BETA, _PAD_PX = 37.0, 20  # of active material in electrolyte; how far that reaches


@dataclass(frozen=True)
class Size:
    """Slab (angles, rows, columns), sinogram (angles, columns), and whole frames as a slab."""

    slab: tuple[int, int, int]
    sinogram: tuple[int, int]
    frames: tuple[int, int, int] = (4, 64, 96)


SIZES: Mapping[str, Size] = {
    "quick": Size((600, 8, 1024), (600, 640), (8, 256, 1024)),
    "full": Size((2400, 8, 2560), (2400, 2560), (8, 1080, 2560)),
}


def bench_stages(out: Path, size: str) -> str:
    """Time every stage of preprocessing; write ``stages.json``.

    Parameters
    ----------
    out : Path
        Folder to write.
    size : {"quick", "full"}
        How large arrays are.

    Returns
    -------
    str
        Tables for the terminal.
    """
    log.info("stages on a slab of %d × %d × %d …", *SIZES[size].slab)
    stages = measure_stages(SIZES[size].slab) | measure_retrieval(SIZES[size].frames)
    log.info("stripes on sinograms of %d × %d …", *SIZES[size].sinogram)
    sinograms = measure_stripes(*SIZES[size].sinogram)
    log.info("find_center …")
    return write_stages(out, size, stages, sinograms, measure_axis(size))


def measure_stages(shape: tuple[int, int, int]) -> dict[str, dict[str, Any]]:
    """Time stages that work value by value.

    Parameters
    ----------
    shape : (angle, row, column)
        Of the slab.

    Returns
    -------
    dict of str to dict
        By stage: `ms_a_million`, milliseconds per million values that go in.
    """
    counts = draw_counts(shape)
    transmission = counts.flat_field()
    filled = fill_dead_pixels(transmission)
    integrals = line_integrals(filled)
    photon_starved = integrals.copy()
    photon_starved[::7, :, ::101] = np.nan
    calls: dict[str, Callable[[], object]] = {
        "flat_field": counts.flat_field,
        "fill_dead_pixels": lambda: fill_dead_pixels(transmission),
        "outliers": lambda: outliers(filled),
        "line_integrals": lambda: line_integrals(filled),
        "fill_nonpositive": lambda: fill_nonpositive(photon_starved, counts.flats, counts.darks),
        "stripes, profile": lambda: stripes(integrals),
        NUMPY: lambda: _by_numpy(counts),
    }
    tasks = {name: Task(call, scale=1e3 / counts.millions) for name, call in calls.items()}
    raw = np.repeat(np.repeat(counts.projections, 2, axis=1), 2, axis=2)
    tasks[BINNING] = Task(lambda: bin_frames(raw, 2), scale=1e9 / raw.size)
    return {name: entry(timing, "ms_a_million") for name, timing in in_turns(tasks).items()}


def measure_retrieval(shape: tuple[int, int, int]) -> dict[str, dict[str, Any]]:
    """Time phase retrieval beside the formula in plain NumPy, and algotom's filter of frames.

    Parameters
    ----------
    shape : (angle, row, column)
        Of the frames; all are padded as far as the filter reaches.

    Returns
    -------
    dict of str to dict
        As `measure_stages`.
    """
    frames = np.random.default_rng(0).uniform(0.3, 1.1, shape).astype(np.float32)
    calls: dict[str, Callable[[], object]] = {
        RETRIEVAL: lambda: phase_retrieval(frames, **_SCAN, delta_over_beta=_DELTA_OVER_BETA),
        RETRIEVAL_NUMPY: lambda: [paganin_by_numpy(frame) for frame in frames],
    }
    if installed("algotom"):
        from algotom.prep.filtering import fresnel_filter

        calls[RETRIEVAL_THEIRS] = lambda: [
            fresnel_filter(frame, 100, dim=2, pad=_PAD_PX, apply_log=False) for frame in frames
        ]
    tasks = {name: Task(call, scale=1e9 / frames.size) for name, call in calls.items()}
    return {name: entry(timing, "ms_a_million") for name, timing in in_turns(tasks).items()}


def paganin_by_numpy(frame: np.ndarray) -> np.ndarray:
    """Filter a frame by Paganin's formula as one writes it down, shape (row, column)."""
    padded = np.pad(frame, _PAD_PX, mode="edge")
    rows, columns = (np.fft.fftfreq(n, _SCAN["pixel_size_um"]) for n in padded.shape)
    ratio_um = _DELTA_OVER_BETA * wavelength_um(_SCAN["energy_kev"]) / (4 * np.pi)
    squared = _SCAN["distance_mm"] * 1e3 * ratio_um
    response = 1 / (1 + 4 * np.pi**2 * squared * (rows[:, None] ** 2 + columns**2))
    filtered = np.fft.ifft2(np.fft.fft2(padded) * response).real
    return np.asarray(filtered[_PAD_PX:-_PAD_PX, _PAD_PX:-_PAD_PX], np.float32)


def _by_numpy(counts: Counts) -> np.ndarray:
    """Flat field and logarithm as one writes them down, with one flat for the whole scan."""
    dark = counts.darks.mean(axis=0, dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = counts.flats.mean(axis=0, dtype=np.float32) - dark
        answer: np.ndarray = -np.log((counts.projections - dark) / gain)
    return answer


def targets(
    stages: Mapping[str, Mapping[str, Any]],
    sinograms: Mapping[str, Mapping[str, Any]],
    axis: Mapping[str, Any],
) -> list[Target]:
    """Set every figure that has a target beside it."""
    ms = {name: entry["ms_a_million"] for name, entry in stages.items()}
    fused = ms["flat_field"] + ms["line_integrals"]
    unit = "ms/10⁶"
    found = [
        Target("flat_field + line_integrals", fused, "at most", 2.5, unit),
        Target("outliers", ms["outliers"], "at most", 3.0, unit),
        Target(BINNING, ms[BINNING], "at most", 0.6, unit),
    ]
    for peer in (RETRIEVAL_NUMPY, RETRIEVAL_THEIRS):
        if peer in ms:
            ratio = ms[peer] / ms[RETRIEVAL]
            found.append(Target(f"{RETRIEVAL}, against {peer}", ratio, "at least", 1.0, "×"))
    for own, peer in ((OURS, THEIRS), (OURS_ONE, THEIRS_ONE)):
        if peer in sinograms:
            ratio = sinograms[peer]["seconds_a_sinogram"] / sinograms[own]["seconds_a_sinogram"]
            found.append(Target(f"{own}, against algotom", ratio, "at least", 15.0, "×"))
    if THEIRS_ONE in sinograms:
        differs = sinograms[THEIRS_ONE]["largest_difference"]
        found.append(Target("sorting, difference from algotom", differs, "at most", 1e-5, ""))
    width = f"find_center, {axis['shape'][-1]} columns"
    cases = f"find_center, {axis['cases']} noisy cases"
    found += [
        Target(width, axis["seconds"], "at most", 8.0, "s", 3.0),
        Target(f"{cases}, median error", axis["median_error_px"], "at most", 0.1, "px"),
        Target(f"{cases}, largest error", axis["largest_error_px"], "at most", 0.25, "px"),
    ]
    return found


def write_stages(
    out: Path,
    size: str,
    stages: dict[str, dict[str, Any]],
    sinograms: dict[str, dict[str, Any]],
    axis: dict[str, Any],
) -> str:
    """Write ``stages.json``; give the tables as text."""
    judged = targets(stages, sinograms, axis)
    slab, sinogram = SIZES[size].slab, SIZES[size].sinogram
    found = {
        "slab": slab,
        "stages": stages,
        "sinogram": sinogram,
        "stripes": sinograms,
        "find_center": axis,
        "targets": [target.as_dict() for target in judged],
    }
    path = write_figures(out, "stages", size, found)
    head = "{} × {} × {} values".format(*slab)
    rows = [(name, entry["ms_a_million"]) for name, entry in stages.items()]
    lines = [(name, entry["seconds_a_sinogram"]) for name, entry in sinograms.items()]
    parts = [
        machine_line(),
        table((head, "ms per 10⁶"), rows),
        table(("stripes, {} × {}".format(*sinogram), "s/sinogram"), lines),
        targets_table(judged),
        f"wrote {path}",
    ]
    return "\n\n".join(parts)
