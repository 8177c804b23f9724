"""Plan: everything about a run that can be known before it starts, or every error at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from xct.analyze.roi.files import read_rois
from xct.analyze.roi.shapes import Roi
from xct.config.candidates import MEANING
from xct.config.loading import read_config
from xct.config.model import Config
from xct.config.recipe import Step, check_names, given_by_scan, load_recipe, starting_from
from xct.config.sources import open_scan, open_volume_file
from xct.errors import ConfigError, XctError, nearest, show_bytes
from xct.geometry import GreyScale
from xct.io.atomic import free_disk
from xct.io.volume_files.volume import ForeignVolume
from xct.pipeline.checks.misread import misread
from xct.pipeline.checks.quantity import without_flats
from xct.pipeline.checks.scan import inspect_scan, inspect_steps
from xct.pipeline.checks.steps import (
    biased_by_sharpening,
    biased_by_smoothing,
    check_order,
    engine_of,
    unavailable_engines,
    with_right_order,
)
from xct.pipeline.checks.volume import looks_like_labels, unsaid_unit
from xct.pipeline.clusters.machines import Machine, working_machine
from xct.pipeline.given.placement import brick_bytes, put_upright
from xct.pipeline.identity import continues, identity_of
from xct.pipeline.output import OutputFolder
from xct.pipeline.resources import (
    Resources,
    bytes_below,
    share_copying,
    share_out,
    with_measuring,
)
from xct.pipeline.slabs import overlaps
from xct.quantity import QUANTITIES, GreyVolume, Number, can_be_called
from xct.result import open_result
from xct.scan import Scan
from xct.stages import installed_packages

_SPARE = 1.25  # times what a result is expected to take on disk: volumes are compressed


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
        section = self.config.volume
        if section is None or section.energy_kev is None:
            return self.source.energy_kev
        return section.energy_kev

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """Voxels of the volume along z, y and x."""
        if isinstance(self.source, Scan):
            _, rows, columns = self.source.projections.shape
            size = slice_size(self.slab_steps) or columns
            return rows, size, size
        return self.source.voxels.shape

    @property
    def title(self) -> str:
        """Name of the cell, or of the output folder."""
        return self.config.cell.name or self.output.name

    def configured(self) -> dict[str, Any]:
        """Give the quantities of the configuration, by name; absent ones are not there."""
        cell, volume = self.config.cell, self.config.volume
        of_stack = {} if volume is None else volume.of_stack()
        return {
            **of_stack,
            "voxel_size_um": self.voxel_size_um,
            "anode": cell.anode,
            "grey_scale": GreyScale(**cell.grey_scale.model_dump()),
            **({} if self.config.volume is None else {"volume_unit": self.config.volume.kept_unit}),
            **({} if self.energy_kev is None else {"energy_kev": self.energy_kev}),
            **({"same_cell": True} if cell.same_cell else {}),
            **({} if self.config.rois is None else {"rois": self.rois}),
            **({} if cell.pristine is None else {"pristine": open_result(cell.pristine)}),
        }

    def given_numbers(self) -> dict[str, dict[str, Any]]:
        """Give the numbers that the configuration says, so that no step estimates them."""
        center = self.config.scan.center_px
        if center is None:
            return {}
        return {"center_px": Number(center, "px", details={"method": "configuration"}).entry()}

    def for_overlap(self, known: Mapping[str, Any]) -> Plan:
        """Share the run out anew where steps must see more rows than was known before.

        Raises
        ------
        ConfigError
            If memory does not suffice for that.
        """
        before, now = (overlaps(self.slab_steps, k)[0] for k in (self.scan.facts, known))
        if now <= before:
            return self
        resources = _resources(self.config, self.source, self.steps, self.keep, now)
        return replace(self, resources=resources)

    @property
    def output(self) -> Path:
        """Folder of the result."""
        return Path(self.config.output)

    @property
    def products(self) -> tuple[str, ...]:
        """Quantities that slabs write: what the last of their steps gives, and what is kept."""
        steps = self.slab_steps
        own = () if not steps or steps[-1].stage.sample else steps[-1].stage.gives
        kept = [name for name in self.keep if QUANTITIES[name].derive is None]
        return tuple(dict.fromkeys((*kept, *own)))

    def identity(self) -> dict[str, Any]:
        """Everything that decides the result; two runs with the same identity give the same."""
        products = {*self.products, *self.keep}
        return identity_of(self.config, self.steps, self.source, sorted(products), self.rois)

    def continuing(self, earlier: Mapping[str, Any] | None) -> Plan:
        """Keep what an earlier run kept, where this one does the same and more."""
        if earlier is None or not continues(earlier, self.identity()):
            return self
        return replace(self, keep=tuple(sorted({*self.keep, *earlier["keep"]})))


def _labels_measured(config: Config, steps: Sequence[Step]) -> list[str]:
    """Say that a recipe for grey values cannot start from labels."""
    is_labelled = config.volume is not None and config.volume.quantity == "labels"
    if not is_labelled or not steps or steps[0].name == "phases":
        return []
    return [
        f"{config.place('volume', 'quantity')}: volume.quantity: labels: the recipe "
        f"{config.pipeline} measures grey values; particles_and_voids takes labels"
    ]


def make_plan(
    source: Path | str | Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    until: str | None = None,
    keep: Sequence[str] = (),
    allow_stages: bool = False,
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
    allow_stages : bool, optional
        Import the modules that the configuration names under ``stages``: this runs their code.

    Raises
    ------
    ConfigError
        With every error at once.
    """
    config, errors = read_config(source, changes, allow_stages=allow_stages)
    if config is None:
        raise ConfigError(*errors)
    steps: list[Step] = []
    warnings: list[str] = []
    try:
        recipe = load_recipe(config)
        steps, config, warnings = recipe.steps, recipe.config, recipe.warnings
        if config.volume is None:
            steps = starting_from(steps, config.scan.quantity)
        errors += with_right_order(check_names(steps, _given(config)), steps)
        steps = _until(steps, until)
        errors += _unknown_products(steps, keep)
        errors += unavailable_engines(steps)
        disordered, worse = check_order(steps)
        errors += disordered
        warnings += [*worse, *biased_by_smoothing(steps), *biased_by_sharpening(steps)]
    except ConfigError as error:
        errors += error.errors
    errors += _labels_measured(config, steps)
    opened, wrong, odd = _opened(config, steps, errors)
    errors, warnings = errors + wrong, [*warnings, *odd]
    rois, of_rois = _read_rois(config)
    errors += [*_missing_pristine(config), *of_rois]
    if not any(": output: " in text for text in errors):
        errors += OutputFolder(Path(config.output)).unfit()
    if opened is None or errors:
        raise ConfigError(*errors)
    overlap = overlaps(steps, opened.facts)[0] if isinstance(opened, Scan) else 0
    resources = _resources(config, opened, steps, keep, overlap)
    notes = opened.notes if isinstance(opened, Scan) else opened.warnings
    warnings += [package.failure for package in installed_packages() if package.failure]
    return Plan(config, steps, opened, resources, tuple(keep), [*notes, *warnings], rois)


def _opened(
    config: Config, steps: Sequence[Step], earlier: Sequence[str]
) -> tuple[Scan | ForeignVolume | None, list[str], list[str]]:
    """Open what is read, and say what is wrong with it, and what is odd."""
    names = [step.name for step in steps]
    try:
        if config.volume is None:
            scan = open_scan(config)
            absent = _missing_facts(config, scan, steps, earlier)
            errors = absent or _impossible_overlaps(scan, steps)
            wrong, odd = inspect_scan(scan, names)
            return scan, [*errors, *wrong], [*odd, *inspect_steps(steps)]
        single = not any("cell" in step.stage.gives for step in steps)
        volume = open_volume_file(config.volume, single=single)
        errors = looks_like_labels(volume, config.volume.file, names)
        errors += misread(volume, config.volume.file, names)
        odd = unsaid_unit(
            volume,
            said=config.volume.unit_is_said,
            energy_kev=config.volume.energy_kev,
            stages=names,
        )
        return volume if single else put_upright(volume, config.volume), errors, odd
    except XctError as error:
        section = "scan" if config.volume is None else "volume"
        return None, [f"{config.place(section)}: {section}: {t}" for t in error.errors], []


def _read_rois(config: Config) -> tuple[list[Roi], list[str]]:
    """Read the ROI set that the configuration names, and say what is wrong with it."""
    if config.rois is None:
        return [], []
    try:
        return read_rois(config.rois), []
    except XctError as error:
        return [], [f"{config.place('rois')}: rois: {text}" for text in error.errors]


def _missing_pristine(config: Config) -> list[str]:
    pristine = config.cell.pristine
    if pristine is None or (Path(pristine) / "summary.json").is_file():
        return []
    return [
        f"{config.place('cell', 'pristine')}: cell.pristine: {pristine}: holds no finished "
        "result; run the pristine cell first"
    ]


def _given(config: Config) -> list[str]:
    """Name the quantities that are there before the first step."""
    named = [(quantity.name, quantity.source) for quantity in QUANTITIES.values()]
    given = [name for name, source in named if source in ("config", "run")] + ["energy_kev"]
    if config.volume is not None:
        return ["volume", *given]
    given += given_by_scan(config.scan.quantity)
    return [*given, "center_px"] if config.scan.center_px is not None else given


def slice_size(steps: Sequence[Step]) -> int | None:
    """Width of a slice, where a step says it."""
    sizes = [step.settings["size"] for step in steps if step.settings.get("size")]
    return sizes[0] if sizes else None


def _missing_facts(
    config: Config, scan: Scan, steps: Sequence[Step], earlier: Sequence[str]
) -> list[str]:
    errors = []
    for name in [quantity.name for quantity in QUANTITIES.values() if quantity.asked]:
        users = [step.name for step in steps if name in step.stage.needs]
        named = any(f"scan.{name}:" in text for text in earlier)
        if users and getattr(scan, name) is None and not named:
            hint = without_flats(scan) if name == "flats" else f" ({MEANING[name]})"
            errors.append(
                f"{config.place('scan', name)}: scan.{name}: needed by {' and '.join(users)}, "
                f"but neither the file nor the configuration says it{hint}"
            )
    return errors


def _impossible_overlaps(scan: Scan, steps: Sequence[Step]) -> list[str]:
    """Say of which steps it cannot be known how many rows they need, and why."""
    errors = []
    for step in steps:
        try:
            step.stage.overlap_rows(step.settings, scan.facts)
        except ValueError as error:
            errors.append(f"{step.place}: {error}")
    return errors


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
    products = list(dict.fromkeys(name for stage in passing for name in stage.gives))
    measured = {name: None for s in steps if s.stage.measures for name in s.stage.gives}
    there = {**measured, "volume": None}
    products += [
        quantity.name
        for quantity in QUANTITIES.values()
        if isinstance(quantity.store, GreyVolume)
        and quantity.derive is not None
        and can_be_called(quantity.derive, there)
    ]
    return [
        f"--keep {name}: no step gives it{nearest(name, products)}; there are {', '.join(products)}"
        for name in keep
        if name not in products
    ]


def _resources(
    config: Config,
    source: Scan | ForeignVolume,
    steps: Sequence[Step],
    keep: Sequence[str],
    overlap: int,
) -> Resources:
    measuring = [step for step in steps if step.stage.measures]
    machine = working_machine(config.run)
    if isinstance(source, Scan):
        slab_steps = [s for s in steps if s not in measuring]
        resources = _scan_resources(config, source, slab_steps, keep, overlap, machine)
        _, rows, columns = source.projections.shape
        size = slice_size(steps) or columns
        shape = (rows, size, size)
    else:
        shape = source.voxels.shape
        resources = share_copying(shape, machine, brick_bytes(source), config.run.dtype)
    if measuring:
        edges = source.voxel_size_um or 2.0  # not said: as the tables were measured
        resources = with_measuring(
            resources,
            shape,
            config.run,
            machine,
            voxel_um3=float(np.prod(np.broadcast_to(edges, 3))),
        )
    free = free_disk(Path(config.output)) + bytes_below(Path(config.output))
    needed = _SPARE * (resources.disk_bytes - resources.temporary_bytes) + resources.temporary_bytes
    if needed > free:
        raise ConfigError(
            f"disk: the run needs up to {show_bytes(needed)} below {config.output}, but "
            f"{show_bytes(free)} are free; free some, name another output, or store uint16 "
            "(run.dtype)"
        )
    return resources


def _scan_resources(
    config: Config,
    scan: Scan,
    steps: Sequence[Step],
    keep: Sequence[str],
    overlap: int,
    machine: Machine,
) -> Resources:
    view = scan.projections
    return share_out(
        view.shape,
        overlap,
        config.run,
        whole_frames=view.whole_frames,
        item_bytes=4 if view.bin > 1 else view.frames.dtype.itemsize,
        size=slice_size(steps),
        engine=engine_of(steps),
        machine=machine,
        kept=len([n for n in {*keep} - {"volume"} if QUANTITIES[n].derive is None])
        + ("volume" not in steps[-1].stage.gives),
    )
