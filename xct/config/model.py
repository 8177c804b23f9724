"""Configurations. In: a YAML file; out: a checked Config, or every complaint at once."""

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

from xct.config.messages import complaints_of, nearest
from xct.config.yaml_text import Document, Key, parse
from xct.errors import ConfigError

Range = tuple[Annotated[int, Ge(0)], Annotated[int, Gt(0)]]
_Edge = Annotated[float, Gt(0), Le(10_000)]
VoxelSize = tuple[_Edge, _Edge, _Edge]


class Section(BaseModel):
    """A mapping of a configuration: keys that are not named here are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Angles(Section):
    """Evenly spaced angles in degrees, the last included."""

    first: Annotated[float, Ge(-36_000), Le(36_000)]
    last: Annotated[float, Ge(-36_000), Le(36_000)]
    count: Annotated[int, Ge(2), Le(1_000_000)]


class InFile(Section):
    """Frames in another HDF5 file."""

    file: str
    path: str | None = None


class Paths(Section):
    """Where data lie inside an HDF5 file, where that differs from the standard."""

    data: str | None = None
    image_key: str | None = None
    theta_deg: str | None = None


class Roi(Section):
    """Raw rows and columns to keep, half-open."""

    row: Range | None = Field(None, strict=False)
    column: Range | None = Field(None, strict=False)

    @model_validator(mode="after")
    def _ranges_are_not_empty(self) -> Roi:
        for axis in ("row", "column"):
            span = getattr(self, axis)
            if span is not None and span[0] >= span[1]:
                raise ValueError(f"{axis} [{span[0]}, {span[1]}] is empty; the first must be lower")
        return self


class ScanSection(Section):
    """What was measured; only what the files do not say, or say wrongly, is needed."""

    file: str | None = Field(None, description="HDF5 file or folder; its layout is recognized")
    projections: str | InFile | None = Field(None, description="glob of TIFF frames, or HDF5")
    flats: str | InFile | None = None
    darks: str | InFile | None = None
    bin: Annotated[int, Ge(1), Le(64)] = Field(1, description="pixels summed along each side")
    roi: Roi = Field(default=Roi(row=None, column=None), description="raw rows and columns to keep")
    theta_deg: Angles | str | None = Field(None, description="{first, last, count}, or a file")
    energy_kev: Annotated[float, Gt(0), Lt(1000)] | None = None
    pixel_size_um: Annotated[float, Ge(0.001), Le(10_000)] | None = Field(
        None, description="effective detector pixel before binning"
    )
    distance_mm: Annotated[float, Ge(0)] | None = None
    rotation: Literal["positive", "negative"] = "positive"
    center_px: float | None = Field(
        None, description="rotation axis in cropped, binned columns; find_center is then skipped"
    )
    paths: Paths = Field(default_factory=Paths)
    links_below: str | None = Field(
        None, description="folder below which links inside data files may lead"
    )


class VolumeSection(Section):
    """A volume that was reconstructed before, by xct or another program."""

    file: str = Field(description="OME-Zarr, TIFF stack, folder or pattern of TIFF slices")
    voxel_size_um: VoxelSize | None = Field(
        None, strict=False, description="edges of a voxel along z, y, x; needed if files miss it"
    )
    quantity: Literal["attenuation", "grey"] = Field(
        "attenuation", description="μ in 1/cm, or grey values of an unknown scale"
    )
    energy_kev: Annotated[float, Gt(0), Lt(1000)] | None = Field(
        None, description="photon energy, for lithium contents"
    )


class GreyScaleSection(Section):
    """The normalized grey scale of all steps."""

    zero: float = Field(20_000.0, description="grey value of air")
    reference_value: float = Field(22_100.0, description="grey value of the electrolyte")


class CellSection(Section):
    """Which cell this is; copied into the results."""

    name: Annotated[str, Field(coerce_numbers_to_str=True)] | None = Field(None, strict=False)
    group: Annotated[str, Field(coerce_numbers_to_str=True)] | None = Field(None, strict=False)
    cycles: Annotated[int, Ge(0)] | None = None
    anode: Literal["low_z", "high_z"] | None = None
    grey_scale: GreyScaleSection = Field(default=GreyScaleSection.model_validate({}))
    pristine: str | None = Field(None, description="result of a pristine cell to compare with")
    same_cell: bool = Field(False, description="the pristine result is this cell, not cycled yet")


class RunSection(Section):
    """How the run uses the machine, and how the volume is stored."""

    dtype: Literal["float32", "uint16"] = "float32"
    workers: Annotated[int, Ge(1), Le(1024)] | Literal["auto"] = "auto"
    memory_gib: Annotated[float, Gt(0), Le(1_000_000)] | Literal["auto"] = "auto"


class Config(Section):
    """A whole configuration, with every default written out."""

    scan: ScanSection
    volume: VolumeSection | None = None
    cell: CellSection = Field(default=CellSection.model_validate({}))
    pipeline: Annotated[str, MinLen(1)] = "reconstruct"
    steps: dict[str, dict[str, Any] | None] = Field(
        default_factory=dict, description="settings that overrule those of the recipe's steps"
    )
    output: Annotated[str, MinLen(1)]
    rois: str | None = Field(None, description="file with ROI sets in cell coordinates")
    run: RunSection = Field(default_factory=RunSection)
    _document: Document = PrivateAttr(default_factory=lambda: Document(None))
    _name: str = PrivateAttr(default="configuration")

    def place(self, *key: str | int) -> str:
        """Say where a key stands: file and line, for a complaint."""
        line = self._document.line(key)
        return "--set" if line == -1 else f"{self._name}:{line}" if line else self._name


def load_config(source: Path | str | Mapping[str, Any], changes: Sequence[str] = ()) -> Config:
    """Read and check a configuration.

    Parameters
    ----------
    source : path or mapping
        A YAML file; relative paths inside start at its folder. A mapping's start here.
    changes : sequence of str, optional
        Changes such as ``scan.bin=2``, applied before the check.

    Returns
    -------
    Config
        All paths absolute.

    Raises
    ------
    ConfigError
        With every complaint at once: file, line, key, value, what is allowed, nearest name.
    """
    config, complaints = read_config(source, changes)
    if complaints or config is None:
        raise ConfigError(*complaints)
    return config


def read_config(
    source: Path | str | Mapping[str, Any], changes: Sequence[str] = ()
) -> tuple[Config | None, list[str]]:
    """Read a configuration as `load_config` does, but return what is wrong with it.

    Returns
    -------
    config : Config or None
        What is left without the wrong entries, so that the rest can be checked as well; None
        where nothing useful is left.
    complaints : list of str
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
            return None, list(error.complaints)
        name, folder = str(source), path.resolve().parent
    complaints = [f"{name}:{line}: {message}" for line, message in document.complaints]
    complaints += _apply(changes, document)
    if not isinstance(document.value, dict):
        start = "`xct init SCAN --output DIR --to CONFIG` writes a configuration to start from"
        return None, complaints or [f"{name}: holds no mapping of settings; {start}"]
    config, more = _validated(document, name)
    return (None if config is None else _absolute(config, folder)), complaints + more


def _validated(document: Document, name: str) -> tuple[Config | None, list[str]]:
    values = {key: value for key, value in document.value.items() if value is not None}
    if isinstance(values.get("scan"), dict):  # an empty key waits for its value: as if absent
        values["scan"] = {k: v for k, v in values["scan"].items() if v is not None}
    elif "scan" in document.value or "volume" in values:
        values.setdefault("scan", {})
    complaints: list[str] = []
    if values["scan"] if "volume" in values else False:
        line = document.line(("volume",))
        complaints.append(f"{name}:{line}: volume: stands beside scan: start from one of the two")
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        complaints += complaints_of(error, document, name, Config)
        try:
            config = Config.model_validate(_without(values, error))
        except ValidationError:
            return None, complaints
    config._document, config._name = document, name
    return config, complaints


def _without(values: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Leave out the entries that were complained about."""
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
    complaints = []
    for change in changes:
        name, equals, text = change.partition("=")
        value = parse(text)
        keys = name.strip().split(".")
        if not equals or not all(keys) or value.complaints:
            complaints.append(f"--set {change}: write KEY=VALUE, such as --set scan.bin=2")
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
    return complaints


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
