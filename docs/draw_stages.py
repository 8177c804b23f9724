"""Slices before and after each stage that mends a scan. In: nothing; out: docs/stages.png.

    python docs/draw_stages.py [NAME …]

Virtual cells, each with one thing the matter, reconstructed without the stage and with it; beside
them the truth, on one grey scale. Names draw these rows only, to look at.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
import zarr
from PIL import Image
from scipy.ndimage import map_coordinates

import xct
from xct.figures import canvas
from xct.io.volumes import open_volume
from xct.phantom.writing import write_phantom
from xct.reconstruct import fbp

HERE = Path(__file__).parent
SHAPE, ANGLES, VOXEL_UM, SEED = (48, 192, 192), 240, 3.2, 3
ELECTROLYTE, CATHODE = 20, 35  # rows that show them
LENS = (1.0, 0.0, 4e-6)  # moves the corners by 10 pixels
STILL = ("find_tilt", "find_jitter", "align")


@dataclass(frozen=True)
class Pair:
    """What is the matter, and how it is reconstructed without and with the stage."""

    name: str
    stage: str
    setup: dict[str, Any] = field(default_factory=dict)
    spoil: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    without: tuple[str, ...] = ()  # steps that the slice before does not have
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    row: int = ELECTROLYTE
    zoom: float = 1.0  # of the middle


def stripes(frames: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Let twelve columns respond by a few percent otherwise in projections than in flats."""
    rng = np.random.default_rng(SEED)
    gain = np.ones(frames.shape[2])
    some = rng.choice(np.arange(30, frames.shape[2] - 30), 12, replace=False)
    gain[some] += rng.normal(0, 0.03, some.size)
    return np.where(keys[:, None, None] == 0, frames * gain, frames)


def dead_columns(frames: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Let five columns side by side stand still."""
    frames[keys == 0, :, 68:73] = frames[keys == 0][:, :, 68:73].mean(axis=0)
    return frames


def lens(frames: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Look at the scene through a lens whose magnification grows towards the corners."""
    rows, columns = frames.shape[1:]
    middle = np.array([(rows - 1) / 2, (columns - 1) / 2])[:, None, None]
    away = np.indices((rows, columns)) - middle
    distance = np.hypot(*away)
    true = distance
    for _ in range(20):
        true = distance / (LENS[0] + LENS[2] * true**2)
    place = middle + away * (true / np.maximum(distance, 1e-9))
    return np.stack([map_coordinates(frame, place, order=3, mode="nearest") for frame in frames])


PAIRS = (
    Pair("fringes, 40 mm behind", "phase_retrieval",
         {"distance_mm": 40.0, "energy_kev": 20.0, "voxel_um": 1.625, "shape": (80, 160, 160)},
         before={"pipeline": "reconstruct"}, after={"pipeline": "ssrf"}, row=58),
    Pair("columns of another gain", "stripes", spoil=stripes, without=("stripes",)),
    Pair("dead columns", "stripes (bands)", spoil=dead_columns, without=("stripes",)),
    Pair("beam moves by 12 rows", "flat_field", {"drift_px": 12.0},
         before={"steps.flat_field.in_time": "interpolated", "scan.leave_out.found": False}),
    Pair("one frame in ten lost", "check_frames", {"lost_frames": 24},
         before={"scan.leave_out.found": False}),
    Pair("stage stands off by 1 px", "find_jitter, align", {"jitter_px": 1.0}, without=STILL,
         row=CATHODE, zoom=2.0),
    Pair("axis leans by 1.5°", "find_tilt, align", {"axis_tilt_deg": 1.5}, without=STILL,
         row=CATHODE, zoom=2.0),
    Pair("lens distorts", "align (distortion)", spoil=lens, without=STILL,
         after={"steps.align.distortion_factors": LENS}, row=CATHODE),
    Pair("half acquisition", "both halves joined", {"half_acquisition": True}),
)  # fmt: skip


def drawn(pair: Pair, place: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scan a cell, and give its slice before, after, and in truth."""
    about: dict[str, Any] = {"shape": SHAPE, "voxel_um": VOXEL_UM, "angles": ANGLES, "seed": SEED}
    config = write_phantom("ncm-0", place, pipeline="reconstruct", **(about | pair.setup))
    if pair.spoil:
        spoil(next((place / "raw").iterdir()), pair.spoil)
    truth = open_volume(place / "truth" / "volume.zarr").read(slice(pair.row, pair.row + 1))[0]
    after, center = run(config, place / "after", pair.after, pair.row)
    if pair.setup.get("half_acquisition"):
        return first_half(config, place, pair.row), after, truth
    before = {"scan.center_px": center} | pair.before
    if pair.without:
        own = place / "own.yaml"
        steps = recipe_without(pair.without)
        own.write_text("".join(f"- {name}\n" for name in steps), encoding="utf-8")
        before["pipeline"] = str(own)
    return run(config, place / "before", before, pair.row)[0], after, truth


def recipe_without(names: tuple[str, ...]) -> list[str]:
    """List the steps of the recipe `reconstruct` but some."""
    recipe = HERE.parent / "pipelines" / "reconstruct.yaml"
    steps = [next(iter(step)) for step in yaml.safe_load(recipe.read_text(encoding="utf-8"))]
    return [step for step in steps if step not in names]


def spoil(raw: Path, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Change the frames of a raw scan."""
    with h5py.File(raw, "r+") as file:
        detector = file["entry/instrument/detector"]
        keys, data = detector["image_key"][:], detector["data"]
        changed = change(data[:].astype(np.float32), keys)
        data[:] = np.clip(np.rint(changed), 0, 65535).astype(data.dtype)


def run(config: Path, out: Path, changes: dict[str, Any], row: int) -> tuple[np.ndarray, float]:
    """Reconstruct, and give the slice and the column of the axis."""
    told = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    result = xct.run(config, [f"output={out}", *told], until="fbp")
    return np.asarray(result.volume[row]), float(result.summary["center_px"]["value"])


def first_half(config: Path, place: Path, row: int) -> np.ndarray:
    """Reconstruct half a turn, as if its axis were in the middle of the view."""
    out = place / "half"
    xct.run(config, [f"output={out}"], until="fill_nonpositive", keep=["line_integrals"])
    kept: Any = zarr.open(out / "line_integrals.zarr", mode="r")
    integrals = np.asarray((kept if hasattr(kept, "shape") else kept["line_integrals"])[:, row])
    theta = np.linspace(0, 360, len(integrals))
    half = theta < 180
    middle = (integrals.shape[1] - 1) / 2
    return fbp(integrals[half], theta[half], middle, pixel_size_um=VOXEL_UM)[0]


def zoomed(picture: np.ndarray, zoom: float) -> np.ndarray:
    """Cut out the middle."""
    margins = [round((n - n / zoom) / 2) for n in picture.shape]
    return picture[margins[0] : len(picture) - margins[0], margins[1] : -margins[1] or None]


def sheet(pairs: list[Pair], slices: Sequence[tuple[np.ndarray, ...]]) -> None:
    """Draw three slices a row: before, after, truth."""
    figure, axes = canvas(len(pairs), 3, (5.4, 1.85 * len(pairs)))
    for number, (pair, three) in enumerate(zip(pairs, slices, strict=True)):
        highest = float(np.percentile(three[2], 99.5)) * (1.5 if pair.row == ELECTROLYTE else 1)
        titles = (pair.name, f"with {pair.stage}", "truth")
        for axis, picture, title in zip(axes[3 * number :], three, titles, strict=False):
            axis.imshow(zoomed(picture, pair.zoom), "gray", vmin=-0.1 * highest, vmax=highest)
            axis.set_title(title, fontsize=7)
            axis.axis("off")
    with tempfile.TemporaryDirectory() as place:
        figure.savefig(Path(place) / "sheet.png", dpi=110)
        with Image.open(Path(place) / "sheet.png") as drawing:
            drawing.convert("L").save(HERE / "stages.png", optimize=True)


def main() -> None:
    """Scan, reconstruct, and draw the sheet."""
    pairs = [pair for pair in PAIRS if not sys.argv[1:] or pair.stage.split()[0] in sys.argv[1:]]
    slices = []
    for pair in pairs:
        with tempfile.TemporaryDirectory() as place:
            slices.append(drawn(pair, Path(place)))
    sheet(pairs, slices)


if __name__ == "__main__":
    main()
