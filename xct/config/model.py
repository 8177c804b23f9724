"""Settings of a configuration. In: values; out: a checked Config."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from xct.config.own_stages import LoadedModule
from xct.geometry import STANDARD_SCALE, GreyScale
from xct.io.yaml import Document, Key
from xct.parallel.cluster import walltime_seconds

Range = tuple[Annotated[int, Ge(0)], Annotated[int, Gt(0)]]
_Edge = Annotated[float, Gt(0), Le(10_000)]
VoxelSize = tuple[_Edge, _Edge, _Edge]
AxisName = Literal["z", "y", "x", "-z", "-y", "-x"]


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
    mask: str | None = Field(
        None,
        description="labels or a mask of the slices, 0 outside of the sample, for the step "
        "iterative: a volume, or one slice for all rows",
    )
    paths: Paths = Field(
        default_factory=lambda: Paths.model_validate({}),
        description="where data lie inside HDF5, against the standard",
    )
    links_below: str | None = Field(
        None, description="folder below which links inside data files may lead"
    )


class RawSection(Section):
    """Values of a file without a header, slice by slice."""

    shape: tuple[Annotated[int, Ge(2)], Annotated[int, Ge(2)], Annotated[int, Ge(2)]] = Field(
        strict=False, description="slices, rows, columns"
    )
    dtype: Literal["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"] = (
        Field(description="type of the values")
    )
    big_endian: bool = Field(False, description="the highest byte of a value comes first")
    header_bytes: Annotated[int, Ge(0)] = Field(0, description="bytes before the first value")


class VolumeSection(Section):
    """A volume that was reconstructed before, by xct or another program."""

    file: str = Field(
        description="result of xct, OME-Zarr, TIFF stack, folder or pattern of TIFF slices, HDF5, "
        "NIfTI, NRRD, MHA, VTK, or values without a header"
    )
    path: str | None = Field(None, description="where the volume lies inside HDF5 or Zarr")
    raw: RawSection | None = Field(
        None, description="order of values without a header: {shape: [z, y, x], dtype: uint16}"
    )
    voxel_size_um: VoxelSize | None = Field(
        None,
        strict=False,
        description="edges along z, y, x, µm, or one for all; needed if the files miss them",
    )
    quantity: Literal["attenuation", "grey", "labels"] = Field(
        "attenuation", description="μ, grey values of an unknown linear scale, or labels"
    )
    unit: Literal["1/cm", "1/mm", "1/px", "grey"] | None = Field(
        None, description="of the values; unless given, 1/cm for attenuation; 1/px: per voxel edge"
    )
    axes: tuple[AxisName, AxisName, AxisName] | None = Field(
        None,
        strict=False,
        description="axes of the file along z (across the layers), y and x of the result, such as "
        "[x, z, y]; -z: against it; found, without mirroring, unless given",
    )
    frame_interval_s: Annotated[float, Gt(0), Le(1e9)] | None = Field(
        None, description="the slices are images taken one after the other, s from each to the next"
    )
    blur_um: Annotated[float, Gt(0), Le(10_000)] | None = Field(
        None, description="full width at half maximum of the point spread, for shells of particles"
    )
    energy_kev: Annotated[float, Gt(0), Lt(1000)] | None = Field(
        None, description="photon energy, keV, for lithium contents"
    )

    _unit_said: bool = PrivateAttr(default=True)

    @field_validator("voxel_size_um", mode="before")
    @classmethod
    def _one_edge_for_all(cls, value: Any) -> Any:
        is_one = isinstance(value, int | float) and not isinstance(value, bool)
        return [value] * 3 if is_one else value

    @model_validator(mode="after")
    def _each_axis_once(self) -> VolumeSection:
        if self.axes is not None and sorted(name[-1] for name in self.axes) != ["x", "y", "z"]:
            raise ValueError(f"axes [{', '.join(self.axes)}] must name each of x, y and z once")
        return self

    @model_validator(mode="after")
    def _quantity_and_unit_agree(self) -> VolumeSection:
        self._unit_said = self.unit is not None
        if self.unit is None:
            self.unit = "1/cm" if self.quantity == "attenuation" else "grey"
        elif (self.unit == "grey") == (self.quantity == "attenuation"):
            if "quantity" in self.model_fields_set:
                raise ValueError(
                    f"quantity is {self.quantity}, but unit is {self.unit}: attenuation comes in "
                    "1/cm, 1/mm or 1/px, grey values and labels in grey; leave quantity out"
                )
            self.quantity = "grey"
        return self

    @property
    def unit_is_said(self) -> bool:
        """Whether the user says the unit of the values, or that they are no attenuation."""
        return self._unit_said or self.quantity != "attenuation"

    @property
    def kept_unit(self) -> str:
        """The unit in which the result keeps the values: attenuation is turned into 1/cm."""
        return "grey" if self.unit == "grey" else "1/cm"

    def of_stack(self) -> dict[str, Any]:
        """Give what is said of a stack beyond a volume of a cell, by name."""
        said = {
            "labelled": self.quantity == "labels" or None,
            "frame_interval_s": self.frame_interval_s,
            "blur_um": self.blur_um,
        }
        return {name: value for name, value in said.items() if value is not None}

    def per_cm(self, voxel_size_um: VoxelSize) -> float:
        """Give what turns the file's attenuation into 1/cm; 1 for grey values.

        Raises
        ------
        ValueError
            If the unit is 1/px, and a voxel's edges along y and x differ.
        """
        y, x = voxel_size_um[1:]
        if self.unit == "1/px" and abs(y - x) > 0.01 * x:
            raise ValueError(
                f"unit: 1/px needs square pixels, but voxel_size_um is {y:g} along y and {x:g} "
                "along x; turn the values into 1/cm"
            )
        return {"1/mm": 10.0, "1/px": 1e4 / x}.get(str(self.unit), 1.0)


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


class SlurmSection(Section):
    """Jobs of a SLURM cluster that work for the run."""

    partition: str | None = Field(None, description="partition; the cluster's default unless given")
    account: str | None = Field(None, description="account that is charged")
    walltime: str = Field("04:00:00", description="of a job, [days-]hours:minutes:seconds")
    memory: ByteSize = Field(description="of a job, such as 64 GiB")
    cores: Annotated[int, Ge(1), Le(1024)] = Field(description="of a job")
    jobs: tuple[Annotated[int, Ge(0)], Annotated[int, Ge(1), Le(10_000)]] = Field(
        (1, 4), strict=False, description="[least, most] that are kept while the run lasts"
    )
    interface: str | None = Field(None, description="network that the nodes share, such as ib0")
    setup: list[str] = Field(
        default_factory=list,
        description="lines that a job runs before it works, such as module load",
    )

    @field_validator("walltime")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        walltime_seconds(value)
        return value

    @model_validator(mode="after")
    def _least_is_not_above_most(self) -> SlurmSection:
        if self.jobs[0] > self.jobs[1]:
            raise ValueError(f"jobs [{self.jobs[0]}, {self.jobs[1]}]: the first must not be more")
        return self


class ClusterSection(Section):
    """Where blocks are worked on, if not in this process: one of the two."""

    slurm: SlurmSection | None = Field(None, description="jobs that the run submits to SLURM")
    scheduler: str | None = Field(
        None, description="address of a Dask scheduler that runs already, such as tcp://node17:8786"
    )

    @model_validator(mode="after")
    def _is_one(self) -> ClusterSection:
        if (self.slurm is None) == (self.scheduler is None):
            raise ValueError("name one of slurm and scheduler")
        return self


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
    figures: Literal["png", "svg", "both", "none"] = Field(
        "both", description="how figures are written: as pixels, as drawings for papers, or not"
    )
    cluster: Literal["local"] | ClusterSection = Field(
        "local",
        description="who works on blocks: threads here, jobs of SLURM, or a Dask scheduler's "
        "workers; of such, workers and memory_gib mean one process",
    )


def place_of(document: Document, name: str, key: Key) -> str:
    """Say where a key of a document stands: its file and line."""
    line = document.line(key)
    return "--set" if line == -1 else f"{name}:{line}" if line else name


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
        return place_of(self._document, self._name, key)
