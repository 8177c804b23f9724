"""Configurations. In: a YAML file; out: a checked Config, or every error at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from xct.config.aliases import put_moved, take_moved
from xct.config.messages import validation_messages
from xct.config.own_stages import LoadedModule, load_own_stages
from xct.errors import ConfigError, nearest
from xct.geometry import STANDARD_SCALE, GreyScale
from xct.io.yaml import Document, Key, parse

Range = tuple[Annotated[int, Ge(0)], Annotated[int, Gt(0)]]
_Edge = Annotated[float, Gt(0), Le(10_000)]
VoxelSize = tuple[_Edge, _Edge, _Edge]


class Section(BaseModel):
    """A mapping of a configuration: keys that are not named here are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Angles(Section):
    """Evenly spaced angles in degrees, the last included."""

    first: Annotated[float, Ge(-36_000), Le(36_000)] = Field(description="first angle, degrees")
    last: Annotated[float, Ge(-36_000), Le(36_000)] = Field(description="last angle, degrees")
    count: Annotated[int, Ge(2), Le(1_000_000)] = Field(description="number of projections")


class InFile(Section):
    """Frames in another HDF5 file."""

    file: str = Field(description="HDF5 file")
    path: str | None = Field(None, description="where the frames lie in it, such as /entry/data")


class Paths(Section):
    """Where data lie inside an HDF5 file, where that differs from the standard."""

    data: str | None = Field(None, description="frames: (frame, row, column), counts")
    image_key: str | None = Field(None, description="0 projection, 1 flat, 2 dark for each frame")
    theta_deg: str | None = Field(None, description="angle of each frame, degrees")


class Roi(Section):
    """Raw rows and columns to keep, half-open."""

    row: Range | None = Field(None, strict=False, description="rows [first, stop], raw pixels")
    column: Range | None = Field(
        None, strict=False, description="columns [first, stop], raw pixels"
    )

    @model_validator(mode="after")
    def _ranges_are_not_empty(self) -> Roi:
        for axis in ("row", "column"):
            span = getattr(self, axis)
            if span is not None and span[0] >= span[1]:
                raise ValueError(f"{axis} [{span[0]}, {span[1]}] is empty; the first must be lower")
        return self


class LeaveOut(Section):
    """Frames that are no good, by their numbers from 0."""

    projections: list[Annotated[int, Ge(0)]] = Field(
        default_factory=list, description="numbers of projections, from 0"
    )
    flats: list[Annotated[int, Ge(0)]] = Field(
        default_factory=list, description="numbers of flats, from 0"
    )
    darks: list[Annotated[int, Ge(0)]] = Field(
        default_factory=list, description="numbers of darks, from 0"
    )
    found: bool = Field(
        True,
        description="leave out what is found to be no good, and mend rows of single frames; false: "
        "leave out only what is named",
    )


class ScanSection(Section):
    """What was measured; only what the files do not say, or say wrongly, is needed."""

    file: str | None = Field(None, description="HDF5 file or folder; its layout is recognized")
    projections: str | InFile | None = Field(
        None, description="projections, where no single file holds the scan: TIFF pattern, or HDF5"
    )
    flats: str | InFile | None = Field(
        None, description="frames with beam and no sample: TIFF pattern, or HDF5"
    )
    darks: str | InFile | None = Field(
        None, description="frames without beam: TIFF pattern, or HDF5"
    )
    quantity: Literal["counts", "transmission", "line_integrals"] = Field(
        "counts",
        description="what the projections are: counts, or corrected before (no flats needed)",
    )
    bin: Annotated[int, Ge(1), Le(64)] = Field(1, description="pixels summed along each side")
    roi: Roi = Field(
        default_factory=lambda: Roi.model_validate({}), description="raw rows and columns to keep"
    )
    axis: Literal["column", "row"] = Field(
        "column",
        description="along which the axis of rotation runs in a frame; row: it is horizontal",
    )
    theta_deg: Angles | str | None = Field(
        None, description="angles in degrees: {first, last, count}, or a text file"
    )
    energy_kev: Annotated[float, Gt(0), Lt(1000)] | None = Field(
        None, description="photon energy, keV"
    )
    pixel_size_um: Annotated[float, Ge(0.001), Le(10_000)] | None = Field(
        None, description="effective detector pixel before binning, µm"
    )
    distance_mm: Annotated[float, Ge(0)] | None = Field(
        None, description="from the sample to the detector, mm"
    )
    flat_exposure_ratio: Annotated[float, Gt(0)] | None = Field(
        None, description="exposure of a projection over that of a flat, where they differ"
    )
    leave_out: LeaveOut = Field(
        default_factory=lambda: LeaveOut.model_validate({}),
        description="frames that are no good; what is found to be so is left out unasked",
    )
    rotation: Literal["positive", "negative"] = Field(
        "positive",
        description="negative where the stage turned the other way",
    )
    center_px: float | None = Field(
        None, description="rotation axis in cropped, binned columns; find_center is then skipped"
    )
    paths: Paths = Field(
        default_factory=lambda: Paths.model_validate({}),
        description="where data lie inside HDF5, against the standard",
    )
    links_below: str | None = Field(
        None, description="folder below which links inside data files may lead"
    )


class VolumeSection(Section):
    """A volume that was reconstructed before, by xct or another program."""

    file: str = Field(description="OME-Zarr, TIFF stack, folder or pattern of TIFF slices")
    voxel_size_um: VoxelSize | None = Field(
        None, strict=False, description="edges along z, y, x, µm; needed if the files miss them"
    )
    quantity: Literal["attenuation", "grey"] = Field(
        "attenuation", description="μ in 1/cm, or grey values of an unknown scale"
    )
    energy_kev: Annotated[float, Gt(0), Lt(1000)] | None = Field(
        None, description="photon energy, keV, for lithium contents"
    )


class GreyScaleSection(Section):
    """The scale of normalized grey values: a straight line through air and the electrolyte."""

    zero: float = Field(STANDARD_SCALE.zero, description="grey value of air")
    reference_value: float = Field(
        STANDARD_SCALE.reference_value, description="grey value of the electrolyte"
    )

    @model_validator(mode="after")
    def _has_two_points(self) -> GreyScaleSection:
        self.scale()
        return self

    def scale(self) -> GreyScale:
        """Give the scale itself."""
        return GreyScale(self.zero, self.reference_value)


class CellSection(Section):
    """Which cell this is; copied into the results."""

    name: Annotated[str, Field(coerce_numbers_to_str=True)] | None = Field(
        None, strict=False, description="name of the cell"
    )
    group: Annotated[str, Field(coerce_numbers_to_str=True)] | None = Field(
        None,
        strict=False,
        description="group that the cell belongs to, such as NCM",
    )
    cycles: Annotated[int, Ge(0)] | None = Field(None, description="cycles before the scan")
    anode: Literal["low_z", "high_z"] | None = Field(
        None, description="end of the volume where the anode is; found unless given"
    )
    pristine: str | None = Field(None, description="result of a pristine cell to compare with")
    same_cell: bool = Field(False, description="the pristine result is this cell, not cycled yet")
    grey_scale: GreyScaleSection = Field(
        default_factory=lambda: GreyScaleSection.model_validate({}),
        description="scale of normalized grey values",
    )


class RunSection(Section):
    """How the run uses the machine, and how the volume is stored."""

    dtype: Literal["float32", "uint16"] = Field(
        "float32", description="how voxels are stored: 1/cm, or codes with a slope and an offset"
    )
    workers: Annotated[int, Ge(1), Le(1024)] | Literal["auto"] = Field(
        "auto", description="slabs that are worked on at a time; auto: as cores and memory allow"
    )
    memory_gib: Annotated[float, Gt(0), Le(1_000_000)] | Literal["auto"] = Field(
        "auto", description="memory that the run may use, GiB; auto: most of what is free"
    )


class Config(Section):
    """A whole configuration, with every default written out."""

    scan: ScanSection = Field(description="what was measured: a raw scan")
    volume: VolumeSection | None = Field(
        None, description="a reconstructed volume to start from, in place of a scan"
    )
    cell: CellSection = Field(
        default_factory=lambda: CellSection.model_validate({}), description="which cell this is"
    )
    pipeline: Annotated[str, MinLen(1)] = Field(
        "reconstruct", description="recipe: a name that xct ships, or the path of your own"
    )
    steps: dict[str, dict[str, Any] | None] = Field(
        default_factory=dict, description="settings that overrule those of the recipe's steps"
    )
    stages: list[Annotated[str, MinLen(1)]] = Field(
        default_factory=list,
        description="modules with stages of your own, beside this file or installed, such as "
        "my_lab.steps; only with --allow-stages, as their code is run",
    )
    output: Annotated[str, MinLen(1)] = Field(description="folder for the result")
    rois: str | None = Field(None, description="file with ROI sets in cell coordinates")
    run: RunSection = Field(
        default_factory=lambda: RunSection.model_validate({}),
        description="use of the machine, storage of the volume",
    )
    _document: Document = PrivateAttr(default_factory=lambda: Document(None))
    _name: str = PrivateAttr(default="configuration")
    _warnings: list[str] = PrivateAttr(default_factory=list)
    _own_stages: list[LoadedModule] = PrivateAttr(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What should be known of the configuration, but does not stop a run."""
        return list(self._warnings)

    @property
    def own_stages(self) -> list[LoadedModule]:
        """The modules that `stages` led to, with the checksums of their files."""
        return list(self._own_stages)

    def place(self, *key: str | int) -> str:
        """Say where a key stands, for a message: its file and line."""
        return _place(self._document, self._name, key)


def load_config(
    source: Path | str | Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    allow_stages: bool = False,
) -> Config:
    """Read and check a configuration.

    Parameters
    ----------
    source : path or mapping
        A YAML file; relative paths inside start at its folder. A mapping's start here.
    changes : sequence of str, optional
        Changes such as ``scan.bin=2``, applied before the check.
    allow_stages : bool, optional
        Import the modules that the configuration names under ``stages``: this runs their code.

    Returns
    -------
    Config
        All paths absolute.

    Raises
    ------
    ConfigError
        With every error at once: file, line, key, value, what is allowed, nearest name.
    """
    config, errors = read_config(source, changes, allow_stages=allow_stages)
    if errors or config is None:
        raise ConfigError(*errors)
    return config


def read_config(
    source: Path | str | Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    allow_stages: bool = False,
) -> tuple[Config | None, list[str]]:
    """Read a configuration as `load_config` does, but return what is wrong with it.

    Returns
    -------
    config : Config or None
        What is left without the wrong entries, so that the rest can be checked as well; None
        where nothing useful is left.
    errors : list of str
        Empty where the configuration is right.
    """
    if isinstance(source, Mapping):
        values = _copied(source)
        document, name, folder = Document(values, _keys(values)), "configuration", Path.cwd()
    else:
        path = Path(source)
        try:
            document = parse(_text(path))
        except ConfigError as error:
            return None, list(error.errors)
        name, folder = str(source), path.resolve().parent
    errors = [f"{name}:{line}: {message}" for line, message in document.errors]
    errors += _apply(changes, document)
    if not isinstance(document.value, dict):
        start = "`xct init SCAN --output DIR --to CONFIG` writes a configuration to start from"
        return None, errors or [f"{name}: holds no mapping of settings; {start}"]
    config, more = _validated(document, name)
    if config is None:
        return None, errors + more
    config = _absolute(config, folder)
    return config, errors + more + _import_stages(config, folder, allowed=allow_stages)


def _import_stages(config: Config, folder: Path, *, allowed: bool) -> list[str]:
    """Import the modules that a configuration names, or say why not."""
    if not config.stages:
        return []
    place = f"{config.place('stages')}: stages: "
    if not allowed:
        names = ", ".join(config.stages)
        return [
            f"{place}the code of {names} would be run; allow it with --allow-stages, or with "
            "allow_stages=True in xct.run"
        ]
    try:
        config._own_stages = load_own_stages(config.stages, folder)
    except ConfigError as error:
        return [place + text for text in error.errors]
    return []


def _validated(document: Document, name: str) -> tuple[Config | None, list[str]]:
    values = {key: value for key, value in document.value.items() if value is not None}
    if isinstance(values.get("scan"), dict):  # an empty key waits for its value: as if absent
        values["scan"] = {k: v for k, v in values["scan"].items() if v is not None}
    elif "scan" in document.value or "volume" in values:
        values.setdefault("scan", {})
    errors: list[str] = []
    if values["scan"] if "volume" in values else False:
        line = document.line(("volume",))
        errors.append(f"{name}:{line}: volume: stands beside scan: start from one of the two")
    warnings, contradictions = _under_new_names(values, document, name)
    errors += contradictions
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        errors += validation_messages(error, document, name, Config)
        try:
            config = Config.model_validate(_without(values, error))
        except ValidationError:
            return None, errors
    config._document, config._name, config._warnings = document, name, warnings
    return config, errors


def _under_new_names(
    values: dict[str, Any], document: Document, name: str
) -> tuple[list[str], list[str]]:
    """Move what stands under an old name; list warnings, and what contradicts."""
    if not isinstance(values.get("steps"), dict):
        return [], []

    def place(stage: str, setting: str) -> str:
        return _place(document, name, ("steps", stage, setting))

    values["steps"], moved = take_moved(values["steps"], place)
    for one in moved:
        line = document.line(("steps", *one.old)) or 0
        for length in range(1, len(one.new) + 1):
            document.lines.setdefault(one.new[:length], line)
    return [one.warning for one in moved], list(put_moved(values, moved))


def _place(document: Document, name: str, key: Key) -> str:
    line = document.line(key)
    return "--set" if line == -1 else f"{name}:{line}" if line else name


def _without(values: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Leave out the entries that are wrong."""
    kept = _copied(values)
    for detail in error.errors():
        place: Any = kept
        for part in detail["loc"]:
            if not (isinstance(place, dict) and part in place):
                break
            if part == detail["loc"][-1] or not isinstance(place[part], dict):
                del place[part]
                break
            place = place[part]
    return {"output": ".", **kept}


def _text(path: Path) -> str:
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such configuration file{nearest(path.name, siblings)}")
    return read_text(path)


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises
    ------
    ConfigError
        If that is not possible.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from None


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _keys(value: Any, above: Key = ()) -> dict[Key, int]:
    """List every key of nested mappings, with 0 for the line that it does not have."""
    keys = {above: 0}
    if isinstance(value, dict):
        for name, item in value.items():
            keys |= _keys(item, (*above, name))
    return keys


def _apply(changes: Sequence[str], document: Document) -> list[str]:
    errors = []
    for change in changes:
        name, equals, text = change.partition("=")
        value = parse(text)
        keys = name.strip().split(".")
        if not equals or not all(keys) or value.errors:
            errors.append(f"--set {change}: write KEY=VALUE, such as --set scan.bin=2")
            continue
        place = document.value if isinstance(document.value, dict) else {}
        for key in keys[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1]] = value.value
        for length in range(1, len(keys)):
            document.lines.setdefault(tuple(keys[:length]), -1)
        document.lines[tuple(keys)] = -1
    return errors


def _absolute(config: Config, folder: Path) -> Config:
    def from_here(text: str) -> str:
        return os.path.normpath(Path(folder, os.path.expanduser(text)))

    scan = config.scan
    changes: dict[str, Any] = {}
    for key in ("file", "projections", "flats", "darks", "theta_deg", "links_below"):
        value = getattr(scan, key)
        if isinstance(value, str):
            changes[key] = from_here(value)
        elif isinstance(value, InFile):
            changes[key] = value.model_copy(update={"file": from_here(value.file)})
    named = config.pipeline.endswith((".yaml", ".yml")) or "/" in config.pipeline
    cell, volume = config.cell, config.volume
    if cell.pristine is not None:
        cell = cell.model_copy(update={"pristine": from_here(cell.pristine)})
    if volume is not None:
        volume = volume.model_copy(update={"file": from_here(volume.file)})
    return config.model_copy(
        update={
            "scan": scan.model_copy(update=changes),
            "volume": volume,
            "cell": cell,
            "rois": None if config.rois is None else from_here(config.rois),
            "output": from_here(config.output),
            "pipeline": from_here(config.pipeline) if named else config.pipeline,
        }
    )
