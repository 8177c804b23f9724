"""A virtual scan on disk, with its configuration and its truth. In: a state; out: a folder.

    write_phantom(
        state, out, *, config=None, seed=0, shape=(160, 256, 256), voxel_um=2.0, bore_um=None,
        torlon=False, anode="low_z", make="pressed", energy_kev=None, angles=None, glare=None,
        noise=1.0, layout="nxtomo", pipeline="tomo_cell", **optics,
    ) -> Path of OUT/config.yaml

A folder holds ``raw/`` in the layout that was asked for, ``config.yaml`` and ``truth/``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ConfigError
from xct.geometry import Anode
from xct.io.atomic import made_whole, write_text
from xct.phantom.scan.layouts import LAYOUTS, write_layout
from xct.phantom.scan.setup import Sample, Setup
from xct.phantom.scan.virtual_scan import VirtualFrames, virtual_scan
from xct.phantom.user_volume import read_user_scan, write_user_truth
from xct.physics.materials import mu_per_cm
from xct.scan import Scan

# Largest distance of the axis from the middle of the detector, in detector widths.
_OFF_MIDDLE = 0.015
_TORLON_RADIUS_UM = 5000.0
_ENERGY_KEV = 25.0


def write_phantom(
    state: str | None,
    out: Path | str,
    *,
    config: Path | str | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] = (160, 256, 256),
    voxel_um: float = 2.0,
    bore_um: float | None = None,
    torlon: bool = False,
    anode: Anode = "low_z",
    make: str = "pressed",
    energy_kev: float | None = None,
    angles: int | None = None,
    glare: float | None = None,
    noise: float = 1.0,
    layout: str = "nxtomo",
    pipeline: str = "tomo_cell",
    **optics: Any,
) -> Path:
    """Write the raw scan of a virtual cell, exactly as a beamline would, and its truth.

    Parameters
    ----------
    state : str or None
        A state of the virtual cell; None: the volume that `config` names.
    out : path
        Folder to make; it appears when it is whole.
    config : path, optional
        YAML that names a volume of the user, see `xct.phantom.user_volume`.
    seed : int, optional
        Equal seeds give equal bytes.
    shape : tuple of int, optional
        Detector rows, then voxels along y and x, the latter also detector columns.
    voxel_um : float, optional
        Edge of a voxel, and width of a pixel.
    bore_um : float, optional
        Diameter of the bore; unless given it fits the field of view.
    torlon : bool, optional
        Whether the housing surrounds the cell, beyond the field of view, too.
    anode : {"low_z", "high_z"}, optional
        Side of the anode.
    make : {"pressed", "scattered"}, optional
        How the cell was filled, see `xct.phantom.cell.cell.draw_cell`.
    energy_kev : float, optional
        Photon energy; 25 unless given here or in `config`.
    angles : int, optional
        Projections over 180°; 400 unless given.
    glare : float, optional
        Fraction of the light in the point spread's tail; 0.003 unless given.
    noise : float, optional
        Photon noise over that of 48,000 quanta; 0: an ideal detector and a steady beam, frames
        are floats.
    layout : {"nxtomo", "dxchange", "p05", "tiff"}, optional
        How the raw files are laid out.
    pipeline : str, optional
        Recipe that the configuration names.
    **optics
        Other fields of `xct.phantom.scan.setup.Setup`.

    Returns
    -------
    Path
        The configuration; ``raw/`` and ``truth/`` lie beside it.

    Raises
    ------
    ValueError
        If the state is unknown, the layers do not fit the shape, or a setting is impossible.
    ConfigError
        If `out` holds something already, or `config` is wrong.
    RunError
        If the disk is full, or the folder cannot be written.
    """
    target = Path(out)
    _check(target, layout, noise, state, config)
    given = {"angles": angles, "glare": glare, **optics}
    given = {name: value for name, value in given.items() if value is not None}
    cell: dict[str, Any]
    sample: Any
    if state is not None:
        from xct.phantom.cell.cell import draw_cell
        from xct.phantom.cell.states import state_named

        wanted = state_named(state)
        sample = draw_cell(
            state,
            shape=shape,
            voxel_um=voxel_um,
            bore_um=bore_um,
            torlon=torlon,
            seed=seed,
            energy_kev=energy_kev or _ENERGY_KEV,
            anode=anode,
            make=make,
        )
        cell = {"name": state.upper(), "group": wanted.group, "cycles": wanted.cycles}
        cell["anode"] = anode
    else:
        assert config is not None
        user = read_user_scan(config, energy_kev)
        sample, given, cell = user.sample, {**user.settings, **given}, dict(user.cell)
        cell.setdefault("name", Path(config).stem)
    setup = _setup(sample, given, noise=noise, torlon=torlon, seed=seed)
    with made_whole(target) as folder:
        _write(sample, setup, cell, folder, layout, pipeline)
    return target / "config.yaml"


def _check(
    target: Path, layout: str, noise: float, state: str | None, config: Path | str | None
) -> None:
    if (state is None) == (config is None):
        raise ConfigError("name a state, or a volume of your own by config: one of the two")
    if layout not in LAYOUTS:
        raise ConfigError(f"format = {layout!r} is not known; expected {', '.join(LAYOUTS)}")
    if not noise >= 0:
        raise ConfigError(f"noise = {noise!r}; expected 0 (none), 1 or another factor")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} exists already; name another folder, or remove it")


def _setup(
    sample: Sample, given: Mapping[str, Any], *, noise: float, torlon: bool, seed: int
) -> Setup:
    """Fill in what was not asked for: an axis beside the middle, quanta, a housing."""
    settings: dict[str, Any] = {"seed": seed, "ideal": noise == 0}
    if "quanta" not in given and noise > 0:
        settings["quanta"] = Setup.quanta / noise**2
    if "axis_offset_px" not in given:
        fraction = np.random.default_rng((seed, 4)).uniform(0.4, 1) * (-1) ** (seed % 2)
        settings["axis_offset_px"] = float(fraction * _room_beside(sample, torlon))
    if torlon:
        settings["torlon_um"] = _TORLON_RADIUS_UM
        settings["torlon_per_cm"] = mu_per_cm("torlon", sample.energy_kev)
    try:
        return Setup(**{**settings, **given})
    except TypeError as error:
        raise ConfigError(f"scan settings: {error}") from None


def _room_beside(sample: Sample, torlon: bool) -> float:
    """Give how far the axis may lie beside the middle, in columns, with the cell in view."""
    columns = max(sample.shape[1:])
    most = _OFF_MIDDLE * columns
    geometry = getattr(sample, "geometry", None)
    if geometry is None or torlon:
        return most
    middle = [(n - 1) / 2 * sample.voxel_um for n in sample.shape[1:]]
    offset = np.hypot(geometry.axis_y_um - middle[0], geometry.axis_x_um - middle[1])
    radius = (geometry.tube_radius_um or geometry.bore_radius_um) + offset
    return float(np.clip(columns / 2 - radius / sample.voxel_um - 1, 0, most))


def _write(
    sample: Any,
    setup: Setup,
    cell: Mapping[str, Any],
    folder: Path,
    layout: str,
    pipeline: str,
) -> None:
    work, raw = folder / "work", folder / "raw"
    work.mkdir()
    raw.mkdir()
    writer = None
    if hasattr(sample, "surfaces"):  # drawn here, not a volume of the user
        from xct.phantom.truth.folder import TruthWriter

        writer = TruthWriter(sample, folder / "truth")
    scan = virtual_scan(writer or sample, setup, work)
    name = str(cell["name"]).lower().replace(" ", "_")
    written = write_layout(scan, raw, name, layout)
    facts = _facts(scan, setup, layout)
    del scan
    shutil.rmtree(work)
    if writer is not None:
        writer.finish(facts)
    else:
        write_user_truth(sample, folder / "truth", facts)
    text = _configuration(written.relative_to(folder), facts, cell, pipeline)
    write_text(folder / "config.yaml", text)


def _facts(scan: Scan, setup: Setup, layout: str) -> dict[str, Any]:
    """Gather everything about the scan that is known but not in its files."""
    frames = scan.projections.frames
    assert isinstance(frames, VirtualFrames)
    projections = scan.projections.index
    return {
        **{f"scan.{name}": value for name, value in vars(setup).items() if value is not None},
        "axis_tilt_deg": setup.axis_tilt_deg,  # as a run's summary names it
        "center_px": setup.center_px(scan.projections.shape[2]),
        "energy_kev": scan.energy_kev,
        "pixel_size_um": scan.pixel_size_um,
        "scan.layout": layout,
        "dead_pixels": int(frames.detector.dead.sum()),
        "zingers": sum(frames.detector.zingers(int(number)) for number in projections),
    }


def _configuration(
    raw: Path, facts: Mapping[str, Any], cell: Mapping[str, Any], pipeline: str
) -> str:
    lines = ["scan:", f"  file: {raw.as_posix()}"]
    if facts["scan.layout"] == "tiff":  # which has no place for them
        lines += [f"  {name}: {facts[name]:g}" for name in ("energy_kev", "pixel_size_um")]
        if facts["scan.distance_mm"]:
            lines += [f"  distance_mm: {facts['scan.distance_mm']:g}"]
    described = ", ".join(f"{name}: {value}" for name, value in cell.items())
    lines += [f"cell: {{{described}}}", f"pipeline: {pipeline}", "output: result"]
    return "\n".join(lines) + "\n"
