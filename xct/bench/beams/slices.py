"""What real beams do to the slices of a virtual cell. In: mishaps; out: errors of μ, what is said.

Each mishap is scanned twice: as a run would have it that looked at no frame, and as it is.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

import xct
from xct.bench.figures import machine_line, table, write_figures
from xct.config.model import Config
from xct.config.recipe import load_steps
from xct.errors import RunError
from xct.phantom.cell.cell import draw_cell
from xct.phantom.writing import write_phantom

log = logging.getLogger("xct")

SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "quick": (48, 160, 160, 300),
    "full": (96, 384, 384, 800),
}
_VIEW_UM = 640.0
_SMOOTH_PX = 2.0  # noise is not what a mishap does
_BLIND: Mapping[str, Any] = {
    "scan.leave_out.found": False,
    "steps.flat_field.in_time": "interpolated",
}
_UNSEEING = ("find_tilt", "find_jitter", "align")  # steps that a blind run does not have


@dataclass(frozen=True)
class Mishap:
    """Something that goes wrong in a scan.

    Attributes
    ----------
    name : str
        In a few words.
    setup : mapping
        Settings of the virtual scan.
    remedy : mapping
        What the run's warning advises, as changes of the configuration.
    """

    name: str
    setup: Mapping[str, Any]
    remedy: Mapping[str, Any] = field(default_factory=dict)


MISHAPS = (
    Mishap("none", {}),
    Mishap("one lost frame in a hundred", {"lost_frames": 0.01}),
    Mishap("one lost frame in ten", {"lost_frames": 0.1}),
    Mishap("one of ten darks lit", {"lit_darks": 1}),
    Mishap("two of thirty flats blocked", {"blocked_flats": 2}),
    Mishap("flats exposed half as long", {"flat_exposure": 0.5}, {"scan.flat_exposure_ratio": 2.0}),
    Mishap("a fifth less light half-way", {"dose_jump": 0.8}, {"steps.flat_field.dose": "beside"}),
    Mishap("beam moves by 12 rows", {"drift_px": 12.0}),
    Mishap("half acquisition", {"half_acquisition": True}),
    Mishap("detector 40 mm behind", {"distance_mm": 40.0}, {"pipeline": "ssrf"}),
    Mishap("axis leans by 0.3°", {"axis_tilt_deg": 0.3}),
    Mishap("axis leans by 1°", {"axis_tilt_deg": 1.0}),
    Mishap("stage stands off by 0.5 px", {"jitter_px": 0.5}),
    Mishap("stage stands off by 1.5 px", {"jitter_px": 1.5}),
)


def bench_mishaps(out: Path, size: str, mishaps: Sequence[Mishap] = MISHAPS, seed: int = 0) -> str:
    """Scan a virtual cell with each mishap, reconstruct it, and write ``beams.json``.

    Parameters
    ----------
    out : Path
        Folder to write.
    size : {"quick", "full"}
        How large the scan is.
    mishaps : sequence of Mishap, optional
        Which ones.
    seed : int, optional
        Of cell and noise.

    Returns
    -------
    str
        A table for the terminal.
    """
    found = []
    for mishap in mishaps:
        log.info("%s …", mishap.name)
        found.append(_tried(mishap, out / "beams", SIZES[size], seed))
    write_figures(out, "beams", size, {"mishaps": found})
    rows = [[one["mishap"], one["blind"], one["default"], one["remedied"]] for one in found]
    about = "rms error of smoothed μ in the bore, 1/cm; below the first row what exceeds it"
    said = "\n".join(f"{one['mishap']}: {one['said']}" for one in found)
    lines = table(("mishap", "blind", "default", "as advised"), _beyond(rows))
    return "\n".join([machine_line(), about, lines, "", said])


def _beyond(rows: list[list[Any]]) -> list[list[Any]]:
    """Take off, in squares, what noise and blur do anyway."""
    usual = rows[0][2]

    def left(value: float | None) -> float | None:
        return None if value is None else float(np.sqrt(max(value**2 - usual**2, 0)))

    return [rows[0], *([name, *map(left, errors)] for name, *errors in rows[1:])]


def _tried(
    mishap: Mishap, out: Path, shape: tuple[int, int, int, int], seed: int
) -> dict[str, Any]:
    folder = out / "cell"
    shutil.rmtree(folder, ignore_errors=True)
    setup = dict(mishap.setup)
    if 0 < setup.get("lost_frames", 0) < 1:
        setup["lost_frames"] = round(setup["lost_frames"] * shape[3])
    voxel_um = _VIEW_UM / shape[1]
    about: dict[str, Any] = {"seed": seed, "shape": shape[:3], "voxel_um": voxel_um}
    config = write_phantom(
        "ncm-0", folder, angles=shape[3], pipeline="reconstruct", **about, **setup
    )
    truth = draw_cell("ncm-0", **about)
    changes = [f"{key}={json.dumps(value)}" for key, value in mishap.remedy.items()]
    without = [f"{key}={json.dumps(value)}" for key, value in _BLIND.items()]
    without.append(f"pipeline={_blind_recipe(out)}")
    blind, _ = _error(config, out / "blind", without, truth)
    default, said = _error(config, out / "default", [], truth)
    remedied = _error(config, out / "remedied", changes, truth)[0] if changes else None
    shutil.rmtree(out)
    return {
        "mishap": mishap.name,
        "setup": setup,
        "blind": blind,
        "default": default,
        "remedied": remedied,
        "said": "; ".join(said) or "–",
    }


def _blind_recipe(out: Path) -> Path:
    """Write the recipe `reconstruct` without the steps that look at what moves."""
    steps = [s.name for s in load_steps(Config.model_validate({"scan": {}, "output": "."}))]
    path = out / "blind.yaml"
    path.write_text(
        "".join(f"- {name}\n" for name in steps if name not in _UNSEEING), encoding="utf-8"
    )
    return path


def _error(
    config: Path, out: Path, changes: Sequence[str], truth: Any
) -> tuple[float | None, list[str]]:
    """Reconstruct, and give the error of μ within the bore; None where the run refuses."""
    try:
        result = xct.run(config, [f"output={out}", *changes], until="fbp")
    except RunError as error:
        return None, [str(error)]
    volume = np.asarray(result.volume[:])
    rows, height, width = volume.shape
    y, x = np.ogrid[:height, :width]
    geometry = truth.geometry
    radius = geometry.bore_radius_um / truth.voxel_um
    middle = geometry.axis_y_um / truth.voxel_um, geometry.axis_x_um / truth.voxel_um
    inside = np.hypot(y - middle[0], x - middle[1]) < radius
    difference = gaussian_filter(volume - truth.mu(0, rows), _SMOOTH_PX)[:, inside]
    said = [one["message"] for one in result.summary["warnings"] if one["step"] != "check"]
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64)))), said
