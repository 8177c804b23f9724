"""Plan: everything about a run that can be known before it starts, or every objection to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import xct
from xct.analyze.roi.files import read_rois
from xct.analyze.roi.shapes import Roi
from xct.config.messages import nearest
from xct.config.model import Config, InFile, read_config
from xct.config.recipe import Step, check_names, load_steps
from xct.errors import ConfigError, ScanError, XctError, show_bytes
from xct.io.atomic import free_disk
from xct.io.foreign import ForeignVolume, open_foreign
from xct.io.scans.recognize import identity as input_identity
from xct.pipeline.output import OutputFolder
from xct.pipeline.resources import (
    Resources,
    bytes_below,
    share_copying,
    share_out,
    with_measuring,
)
from xct.pipeline.scan_checks import inspect_scan
from xct.scan import Scan, read_scan

# What a scan may say; where it does not, the configuration is asked for it.
_FACTS = ("flats", "theta_deg", "pixel_size_um", "energy_kev", "distance_mm")


@dataclass(frozen=True)
class Plan:
    """A configuration, its steps, its scan, and how the run is shared out.

    Attributes
    ----------
    config : Config
        With every default.
    steps : list of Step
        What is done, up to the stage where the run ends.
    source : Scan or ForeignVolume
        What is read: a raw scan, or a volume that was reconstructed before.
    resources : Resources
        Slabs and workers.
    keep : tuple of str
        Quantities to write that otherwise only pass through.
    warnings : list of str
        What should be known before the run, but does not stop it.
    rois : list of Roi
        The regions that the configuration names.
    """

    config: Config
    steps: list[Step]
    source: Scan | ForeignVolume
    resources: Resources
    keep: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)
    rois: list[Roi] = field(default_factory=list)

    @property
    def scan(self) -> Scan:
        """The raw scan of a run that starts from one."""
        assert isinstance(self.source, Scan)
        return self.source

    @property
    def from_scan(self) -> bool:
        """Whether the run starts from raw projections."""
        return isinstance(self.source, Scan)

    @property
    def slab_steps(self) -> list[Step]:
        """The steps that lead from frames to slices, slab by slab."""
        return [step for step in self.steps if not step.stage.measures]

    @property
    def measuring_steps(self) -> list[Step]:
        """The steps that measure the finished volume."""
        return [step for step in self.steps if step.stage.measures]

    @property
    def voxel_size_um(self) -> tuple[float, float, float]:
        """Edges of a voxel along z, y and x; 1 where the scan does not say them."""
        if isinstance(self.source, Scan):
            edge = float(self.source.voxel_size_um or 1.0)
            return edge, edge, edge
        return self.source.voxel_size_um

    @property
    def energy_kev(self) -> float | None:
        """Photon energy, as far as it is known."""
        volume = self.config.volume
        return self.scan.energy_kev if volume is None else volume.energy_kev

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """Voxels of the volume along z, y and x."""
        if isinstance(self.source, Scan):
            _, rows, columns = self.source.projections.shape
            size = slice_size(self.slab_steps) or columns
            return rows, size, size
        return self.source.voxels.shape

    @property
    def output(self) -> Path:
        """Folder of the result."""
        return Path(self.config.output)

    def identity(self) -> dict[str, Any]:
        """Everything that decides the result; two runs with the same identity give the same."""
        identity = {
            "xct": xct.__version__,
            "input": input_identity(self.source.files),
            **(_scan_identity(self.source) if isinstance(self.source, Scan) else {}),
            "steps": [[step.name, dict(step.settings)] for step in self.steps],
            "dtype": self.config.run.dtype,
            "keep": sorted(self.keep),
        }
        if not self.measuring_steps:
            return identity
        rois = self.config.rois
        return identity | {
            "voxel_size_um": list(self.voxel_size_um),
            "quantity": self.config.volume.quantity if self.config.volume else "attenuation",
            "energy_kev": self.energy_kev,
            "anode": self.config.cell.anode,
            "pristine": self.config.cell.pristine,
            "same_cell": self.config.cell.same_cell,
            "rois": None if rois is None else sha256(Path(rois).read_bytes()).hexdigest()[:16],
        }


def make_plan(
    source: Path | str | Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    until: str | None = None,
    keep: Sequence[str] = (),
) -> Plan:
    """Check a configuration, its recipe and its scan, and plan the run.

    Parameters
    ----------
    source : path or mapping
        The configuration.
    changes : sequence of str, optional
        As in ``--set scan.bin=2``.
    until : str, optional
        Last stage to run.
    keep : sequence of str, optional
        Quantities to write that otherwise only pass through.

    Raises
    ------
    ConfigError
        With every complaint at once.
    """
    config, complaints = read_config(source, changes)
    if config is None:
        raise ConfigError(*complaints)
    steps: list[Step] = []
    try:
        steps = load_steps(config)
        complaints += check_names(steps, _given(config))
        steps = _until(steps, until)
        complaints += _unknown_products(steps, keep)
    except ConfigError as error:
        complaints += error.complaints
    opened: Scan | ForeignVolume | None = None
    warnings: list[str] = []
    try:
        if config.volume is None:
            opened = open_scan(config)
            complaints += _missing_facts(config, opened, steps, complaints)
            objections, warnings = inspect_scan(opened, [step.name for step in steps])
            complaints += objections
        else:
            opened = open_foreign(config.volume.file, config.volume.voxel_size_um)
    except ScanError as error:
        section = "scan" if config.volume is None else "volume"
        complaints += [f"{config.place(section)}: {section}: {t}" for t in error.complaints]
    rois, wrong = _read_rois(config)
    complaints += [*_missing_pristine(config), *wrong]
    if not any(": output: " in text for text in complaints):
        complaints += OutputFolder(Path(config.output)).unfit()
    if opened is None or complaints:
        raise ConfigError(*complaints)
    resources = _resources(config, opened, steps, keep)
    notes = opened.notes if isinstance(opened, Scan) else []
    return Plan(config, steps, opened, resources, tuple(keep), [*notes, *warnings], rois)


def _scan_identity(scan: Scan) -> dict[str, Any]:
    theta = scan.theta_deg
    return {
        "roi": scan.roi,
        "bin": scan.bin,
        "theta_deg": None if theta is None else sha256(theta.tobytes()).hexdigest()[:16],
        "pixel_size_um": scan.pixel_size_um,
        "center_px": scan.center_px,
    }


def _read_rois(config: Config) -> tuple[list[Roi], list[str]]:
    """Read the ROI set that the configuration names, and say what is wrong with it."""
    if config.rois is None:
        return [], []
    try:
        return read_rois(config.rois), []
    except XctError as error:
        return [], [f"{config.place('rois')}: rois: {text}" for text in error.complaints]


def _missing_pristine(config: Config) -> list[str]:
    pristine = config.cell.pristine
    if pristine is None or (Path(pristine) / "summary.json").is_file():
        return []
    return [
        f"{config.place('cell', 'pristine')}: cell.pristine: {pristine}: holds no finished "
        "result; run the pristine cell first"
    ]


def open_scan(config: Config) -> Scan:
    """Read the scan that a configuration names.

    Raises
    ------
    ScanError
        If it cannot be read, or its facts contradict each other.
    """
    section = config.scan
    if (section.file is None) == (section.projections is None):
        raise ScanError(
            "name the scan by `file`, or its frames by `projections` (with `flats` and `darks`): "
            "one of the two"
        )
    overrides = section.model_dump(exclude={"file"}, exclude_none=True)
    for kind in ("projections", "flats", "darks"):
        value = getattr(section, kind)
        if isinstance(value, InFile):
            overrides[kind] = value.model_dump(exclude_none=True)
    overrides["roi"] = section.roi.model_dump(exclude_none=True)
    overrides["paths"] = section.paths.model_dump(exclude_none=True)
    return read_scan(section.file, **overrides)


_OF_A_CELL = (
    "voxel_size_um", "anode", "same_cell", "energy_kev", "glare_sd", "into", "rois", "pristine"
)  # fmt: skip


def _given(config: Config) -> list[str]:
    if config.volume is not None:
        return ["volume", *_OF_A_CELL]
    given = ["projections", "darks", "projection_time", "flat_time", *_FACTS]
    given += ["projection_dose", "flat_dose", "frame_light", "row_px", *_OF_A_CELL]
    return [*given, "center_px"] if config.scan.center_px is not None else given


def slice_size(steps: Sequence[Step]) -> int | None:
    """Width of a slice, where a step says it."""
    sizes = [step.settings["size"] for step in steps if step.settings.get("size")]
    return sizes[0] if sizes else None


def _missing_facts(
    config: Config, scan: Scan, steps: Sequence[Step], earlier: Sequence[str]
) -> list[str]:
    complaints = []
    for name in _FACTS:
        users = [step.name for step in steps if name in step.stage.needs]
        complained = any(f"scan.{name}:" in text for text in earlier)
        if users and getattr(scan, name) is None and not complained:
            complaints.append(
                f"{config.place('scan', name)}: scan.{name}: needed by {' and '.join(users)}, "
                "but neither the file nor the configuration says it"
            )
    return complaints


def _until(steps: list[Step], until: str | None) -> list[Step]:
    names = [step.name for step in steps]
    if until is None:
        return steps
    if until not in names:
        raise ConfigError(
            f"--until {until}: no such step{nearest(until, names)}; there are {', '.join(names)}"
        )
    return steps[: names.index(until) + 1]


def _unknown_products(steps: Sequence[Step], keep: Sequence[str]) -> list[str]:
    passing = [s.stage for s in steps if not (s.stage.sample or s.stage.measures)]
    products = list(dict.fromkeys(stage.gives for stage in passing))
    if any(step.stage.gives == "reference" for step in steps):
        products.append("normalized")
    return [
        f"--keep {name}: no step gives it{nearest(name, products)}; there are {', '.join(products)}"
        for name in keep
        if name not in products
    ]


def _resources(
    config: Config, source: Scan | ForeignVolume, steps: Sequence[Step], keep: Sequence[str]
) -> Resources:
    measuring = [step for step in steps if step.stage.measures]
    if isinstance(source, Scan):
        resources = _scan_resources(config, source, [s for s in steps if s not in measuring], keep)
        _, rows, columns = source.projections.shape
        size = slice_size(steps) or columns
        shape = (rows, size, size)
    else:
        shape = source.voxels.shape
        resources = share_copying(shape, source.voxels.dtype)
    if measuring:
        resources = with_measuring(resources, shape, config.run)
    free = free_disk(Path(config.output)) + bytes_below(Path(config.output))
    if resources.disk_bytes > free:
        raise ConfigError(
            f"disk: the run needs {show_bytes(resources.disk_bytes)} below {config.output}, but "
            f"{show_bytes(free)} are free; free some, name another output, or store uint16 "
            "(run.dtype)"
        )
    return resources


def _scan_resources(
    config: Config, scan: Scan, steps: Sequence[Step], keep: Sequence[str]
) -> Resources:
    view = scan.projections
    return share_out(
        view.shape,
        sum(step.stage.overlap_rows(step.settings) for step in steps),
        config.run,
        whole_frames=view.whole_frames,
        item_bytes=4 if view.bin > 1 else view.frames.dtype.itemsize,
        size=slice_size(steps),
        kept=len({*keep} - {"volume", "normalized"}) + (steps[-1].stage.gives != "volume"),
    )
