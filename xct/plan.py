"""Plan: everything about a run that can be known before it starts, or every objection to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import xct
from xct.complaints import nearest
from xct.config import Config, InFile, read_config
from xct.errors import ConfigError, ScanError
from xct.folder import OutputFolder
from xct.inspection import inspect_scan
from xct.io.recognize import identity as input_identity
from xct.recipe import Step, check_names, load_steps
from xct.resources import Resources, bytes_below, free_disk, share_out, show_bytes
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
    scan : Scan
        What is read.
    resources : Resources
        Slabs and workers.
    keep : tuple of str
        Quantities to write that otherwise only pass through.
    warnings : list of str
        What should be known before the run, but does not stop it.
    """

    config: Config
    steps: list[Step]
    scan: Scan
    resources: Resources
    keep: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)

    @property
    def output(self) -> Path:
        """Folder of the result."""
        return Path(self.config.output)

    def identity(self) -> dict[str, Any]:
        """Everything that decides the result; two runs with the same identity give the same."""
        scan, theta = self.scan, self.scan.theta_deg
        return {
            "xct": xct.__version__,
            "input": input_identity(scan.files),
            "roi": scan.roi,
            "bin": scan.bin,
            "theta_deg": None if theta is None else sha256(theta.tobytes()).hexdigest()[:16],
            "pixel_size_um": scan.pixel_size_um,
            "center_px": scan.center_px,
            "steps": [[step.name, dict(step.settings)] for step in self.steps],
            "dtype": self.config.run.dtype,
            "keep": sorted(self.keep),
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
    scan: Scan | None = None
    warnings: list[str] = []
    try:
        scan = open_scan(config)
        complaints += _missing_facts(config, scan, steps, complaints)
        objections, warnings = inspect_scan(scan, [step.name for step in steps])
        complaints += objections
    except ScanError as error:
        complaints += [f"scan: {text}" for text in error.complaints]
    if not any(": output: " in text for text in complaints):
        complaints += OutputFolder(Path(config.output)).unfit()
    if scan is None or complaints:
        raise ConfigError(*complaints)
    resources = _resources(config, scan, steps, keep)
    return Plan(config, steps, scan, resources, tuple(keep), [*scan.notes, *warnings])


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


def _given(config: Config) -> list[str]:
    given = ["projections", "darks", "projection_time", "flat_time", *_FACTS]
    given += ["projection_dose", "flat_dose"]
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
    products = list(dict.fromkeys(s.stage.gives for s in steps if not s.stage.sample))
    return [
        f"--keep {name}: no step gives it{nearest(name, products)}; there are {', '.join(products)}"
        for name in keep
        if name not in products
    ]


def _resources(config: Config, scan: Scan, steps: Sequence[Step], keep: Sequence[str]) -> Resources:
    view = scan.projections
    resources = share_out(
        view.shape,
        sum(step.stage.overlap_rows(step.settings) for step in steps),
        config.run,
        whole_frames=view.whole_frames,
        item_bytes=4 if view.bin > 1 else view.frames.dtype.itemsize,
        size=slice_size(steps),
        kept=len({*keep} - {"volume"}) + (steps[-1].stage.gives != "volume"),
    )
    free = free_disk(Path(config.output)) + bytes_below(Path(config.output))
    if resources.disk_bytes > free:
        raise ConfigError(
            f"disk: the run needs {show_bytes(resources.disk_bytes)} below {config.output}, but "
            f"{show_bytes(free)} are free; free some, name another output, or store uint16 "
            "(run.dtype)"
        )
    return resources
