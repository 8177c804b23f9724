"""Settings of a simulation. In: YAML; out: a checked Settings, or every error at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from xct.config.loading import read_document
from xct.config.messages import validation_messages
from xct.config.model import Section, place_of
from xct.errors import ConfigError
from xct.io.yaml import Document
from xct.simulate import constants
from xct.simulate.names import check_names

_Length = Annotated[float, Gt(0), Le(1e5)]
_Young = Annotated[float, Gt(0), Le(1000)]
_Poisson = Annotated[float, Gt(-1), Lt(0.5)]
_Face = Annotated[
    Literal["measured", "flat"],
    Field(description="the lithium's face as it was measured, or flat at its mean height"),
]
_Conductivity = Annotated[float, Gt(0), Le(100)]


class IdealSection(Section):
    """The cell of the study from a few lengths."""

    width_um: _Length = Field(420.0, description="width")
    height_um: _Length = Field(250.0, description="height")
    lithium_um: _Length = Field(175.0, description="height of the flat lithium's face")
    particle_um: _Length = Field(10.0, description="diameter of a particle")
    pitch_um: _Length = Field(15.0, description="from one particle to the next")
    first_row_um: _Length = Field(7.5, description="height of the lowest particles' middles")
    rows: Annotated[int, Ge(1), Le(1000)] = Field(5, description="rows of particles")
    columns: Annotated[int, Ge(1), Le(1000)] = Field(28, description="particles in a row")

    @model_validator(mode="after")
    def _fits(self) -> IdealSection:
        top = self.first_row_um + (self.rows - 1) * self.pitch_um + self.particle_um / 2
        if not top < self.lithium_um < self.height_um:
            raise ValueError(
                f"lithium_um: {self.lithium_um:g} must lie above the particles, which end at "
                f"{top:g} µm, and below height_um: {self.height_um:g}"
            )
        if self.particle_um >= self.pitch_um:
            raise ValueError(
                f"particle_um: {self.particle_um:g} must be less than pitch_um: {self.pitch_um:g}"
            )
        if (self.columns - 1) * self.pitch_um + self.particle_um > self.width_um:
            raise ValueError(
                f"columns: {self.columns} particles at a pitch of {self.pitch_um:g} µm are wider "
                f"than width_um: {self.width_um:g}"
            )
        if self.first_row_um < self.particle_um / 2:
            raise ValueError(f"first_row_um: {self.first_row_um:g} is less than a radius")
        return self


class SliceSection(Section):
    """A plane of a result along its axis, from the lithium into the cathode."""

    result: Annotated[str, MinLen(1)] = Field(description="folder of the result")
    along: Literal["x", "y"] = Field("x", description="direction across the picture")
    offset_um: float = Field(0.0, description="of the plane from the bore's axis")
    across_um: tuple[float, float] | None = Field(
        None, strict=False, description="range across, from the axis; the bore unless given"
    )
    depth_um: tuple[float, float] | None = Field(
        None, strict=False, description="range along z; lithium to the cathode's end unless given"
    )
    lithium: _Face = "measured"

    @model_validator(mode="after")
    def _ranges_ascend(self) -> SliceSection:
        for name in ("across_um", "depth_um"):
            given = getattr(self, name)
            if given is not None and not given[0] < given[1]:
                raise ValueError(f"{name}: [{given[0]:g}, {given[1]:g}]: the second must be larger")
        return self


class BlockSection(Section):
    """A block of a result, in three dimensions."""

    result: Annotated[str, MinLen(1)] = Field(description="folder of the result")
    center_um: tuple[float, float] = Field(
        (0.0, 0.0), strict=False, description="middle of the block from the bore's axis, [y, x]"
    )
    width_um: _Length | None = Field(
        None, description="edge across; what fits into the bore unless given"
    )
    voxels: Annotated[int, Ge(16), Le(256)] = Field(
        128, description="most voxels along an edge; larger blocks are coarsened to that"
    )
    lithium: _Face = "measured"


class DepositSection(Section):
    """Lithium that has grown into the electrolyte: half an ellipse."""

    height_um: _Length = Field(30.0, description="how far it reaches")
    half_width_um: _Length = Field(15.0, description="half its width at the flat face")
    center_um: float | None = Field(None, description="where it is; the middle unless given")


class DeadSection(Section):
    """Which particles of a result do not react."""

    drifted: bool = Field(False, description="those that drifted")
    li_content_above: Annotated[float, Ge(-1), Le(2)] | None = Field(
        None, description="those whose state of charge says that they did not give up lithium"
    )
    contact_below: Annotated[float, Ge(0), Le(1)] | None = Field(
        None, description="those of which less than this part of the surface touches electrolyte"
    )
    particles: list[Annotated[int, Ge(1)]] = Field([], description="those of these numbers")


class CaseSection(Section):
    """One of the cases that are put side by side."""

    name: Annotated[str, MinLen(1), Field(coerce_numbers_to_str=True)] = Field(
        strict=False, description="name of the case"
    )
    inactive: Literal["none", "center", "sides"] = Field(
        "none", description="particles of an ideal cell without reaction, by thirds of the width"
    )
    dead: DeadSection | None = Field(None, description="particles of a result without reaction")
    deposit: DepositSection | None = Field(None, description="lithium on the ideal cell's face")


class ElectrolyteSection(Section):
    """Conductivity of the electrolyte."""

    conductivity_s_m: _Conductivity = Field(0.3, description="κ of the separator, S/m")
    composite_s_m: _Conductivity | None = Field(
        None, description="κ of the electrolyte within the composite; the same unless given"
    )
    density_exponent: Annotated[float, Gt(0), Le(10)] | None = Field(
        None, description="κ goes with this power of the electrolyte's density over its mean, as "
        "grey values of a result tell it; 1.5 is Bruggeman's law; not at all unless given",
    )  # fmt: skip


class KineticsSection(Section):
    """Reaction at the particles; without, they are at one potential with what is beside them."""

    law: Literal["linear", "butler_volmer"] = Field("butler_volmer", description="the law")
    exchange_current_a_m2: Annotated[float, Gt(0), Le(1e6)] = Field(description="i₀, A/m²")
    transfer: Annotated[float, Gt(0), Lt(1)] = Field(0.5, description="α")
    temperature_k: Annotated[float, Ge(200), Le(500)] = Field(298.15, description="temperature")


class PlatingSection(Section):
    """Lithium that is plated while its face moves."""

    charge_uah_cm2: Annotated[float, Gt(0), Le(1e5)] = Field(100.0, description="charge passed")
    steps: Annotated[int, Ge(1), Le(100)] = Field(4, description="steps of the moving face")


class Elastic(Section):
    """Elasticity of a material."""

    young_gpa: _Young = Field(description="Young's modulus")
    poisson: _Poisson = Field(description="Poisson's ratio")


def _elastic(pair: tuple[float, float]) -> Any:
    return Field(
        default_factory=lambda: Elastic(young_gpa=pair[0], poisson=pair[1]),
        description="Young's modulus and Poisson's ratio",
    )


class MechanicsSection(Section):
    """Stress by plated lithium and by particles that shrink."""

    charge_uah_cm2: Annotated[float, Gt(0), Le(1e5)] = Field(
        10.0, description="charge passed, at the current's distribution at the start"
    )
    lithium: Literal["displacement", "eigenstrain"] = Field(
        "displacement", description="plated lithium presses its thickness into the electrolyte, or "
        "swells within the lithium",
    )  # fmt: skip
    stack: Literal["pressure", "fixed"] = Field(
        "pressure", description="the stack gives way until its pressure is stack_pressure_mpa, or "
        "keeps its height",
    )  # fmt: skip
    stack_pressure_mpa: Annotated[float, Ge(0), Le(2000)] = Field(0, description="its pressure")
    volume_change: Annotated[float, Ge(-0.5), Le(0.5)] = Field(
        constants.PARTICLE_VOLUME_CHANGE,
        description="part of its volume that a particle loses with all of its lithium",
    )
    lithium_mol_m3: Annotated[float, Gt(0), Le(2e5)] = Field(
        constants.PARTICLE_LITHIUM_MOL_M3, description="lithium of a full particle"
    )
    strength_mpa: Annotated[float, Gt(0), Le(1e5)] = Field(
        constants.STRENGTH_MPA, description="what lies beyond is counted"
    )
    electrolyte: Elastic = _elastic(constants.ELECTROLYTE)
    particle: Elastic = _elastic(constants.PARTICLE)
    lithium_metal: Elastic = _elastic(constants.LITHIUM)
    order: Literal[1, 2] | Literal["auto"] = Field(
        "auto", description="linear or quadratic displacements; auto: 2 up to 40,000 nodes"
    )


class MeshSection(Section):
    """Size of triangles: their longest side."""

    boundary_um: _Length | None = Field(
        None, description="at a boundary; 1 in an ideal cell, 1.5 voxels in a slice unless given"
    )
    coarsest_um: _Length | None = Field(None, description="anywhere; 8 times that unless given")


class SimulateSection(Section):
    """What is simulated."""

    title: str = Field("Finite elements", description="title of the figures")
    ideal: IdealSection | None = Field(None, description="the cell of the study")
    slice: SliceSection | None = Field(None, description="a plane of a result")
    block: BlockSection | None = Field(None, description="a block of a result")
    cases: list[CaseSection] = Field(
        default_factory=lambda: [CaseSection.model_validate({"name": "all active"})],
        min_length=1,
        description="the cases, in the order of figures",
    )
    current_density_a_m2: Annotated[float, Gt(0), Le(1e6)] = Field(
        100.0, description="mean current density of charging, over the width"
    )
    electrolyte: ElectrolyteSection = Field(
        default_factory=lambda: ElectrolyteSection.model_validate({}), description="conductivity"
    )
    kinetics: KineticsSection | None = Field(None, description="reaction at the particles")
    plating: PlatingSection | None = Field(None, description="plating over time")
    mechanics: MechanicsSection | None = Field(None, description="stress")
    mesh: MeshSection = Field(
        default_factory=lambda: MeshSection.model_validate({}), description="size of triangles"
    )

    @field_validator("cases")
    @classmethod
    def _names_differ(cls, cases: list[CaseSection]) -> list[CaseSection]:
        check_names([case.name for case in cases])
        return cases

    @model_validator(mode="after")
    def _is_one_geometry(self) -> SimulateSection:
        given = [name for name in ("ideal", "slice", "block") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "name one of ideal, slice and block, such as ideal: {}"
                + (f"; there are {' and '.join(given)}" if given else "")
            )
        if self.ideal is not None and self.electrolyte.density_exponent is not None:
            raise ValueError(
                "electrolyte.density_exponent: is for a result, whose grey values tell the density"
            )
        for case in self.cases:
            self._check_case(case)
        if self.block is not None:
            for name in ("plating", "kinetics"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}: only of an ideal cell or a slice; leave it out")
        return self

    def _check_case(self, case: CaseSection) -> None:
        where = f"case {case.name!r}: "
        if self.ideal is not None and case.dead is not None:
            raise ValueError(f"{where}dead: is for a result; write inactive: center, or sides")
        if self.ideal is None and case.inactive != "none":
            raise ValueError(
                f"{where}inactive: {case.inactive} is for an ideal cell; say which particles of a "
                "result, such as dead: {drifted: true}"
            )
        if case.deposit is None:
            return
        if self.ideal is None:
            raise ValueError(f"{where}deposit: only on an ideal cell; leave it out")
        top = self.ideal.first_row_um + (self.ideal.rows - 1) * self.ideal.pitch_um
        gap = self.ideal.lithium_um - top - self.ideal.particle_um / 2
        if case.deposit.height_um >= gap:
            raise ValueError(
                f"{where}deposit: height_um: {case.deposit.height_um:g} reaches the "
                f"particles, which are {gap:g} µm away"
            )


class Settings(Section):
    """A whole simulation, with every default written out."""

    simulate: SimulateSection = Field(description="what is simulated")
    output: str | None = Field(None, description="folder for numbers, fields and figures")
    _document: Document = PrivateAttr(default_factory=lambda: Document(None))
    _name: str = PrivateAttr(default="simulation")

    def place(self, *key: str | int) -> str:
        """Say where a key stands, for a message: its file and line."""
        return place_of(self._document, self._name, key)


def load_settings(source: Path | str | Mapping[str, Any]) -> Settings:
    """Read and check a simulation.

    Parameters
    ----------
    source : path or mapping
        A YAML file (relative paths inside start at its folder), or the same as a mapping.

    Raises
    ------
    ConfigError
        With every error at once: file, line, key, value and what is allowed.
    """
    return _checked(*read_document(source, "simulation"))


def _checked(document: Document, name: str, folder: Path) -> Settings:
    if not isinstance(document.value, dict):
        raise ConfigError(f"{name}: holds no simulation; write simulate: {{ideal: {{}}}}")
    try:
        settings = Settings.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError(*validation_messages(error, document, name, Settings)) from None
    settings._document, settings._name = document, name
    return _absolute(settings, folder)


def _absolute(settings: Settings, folder: Path) -> Settings:
    def from_here(text: str) -> str:
        return os.path.normpath(Path(folder, os.path.expanduser(text)))

    inner = settings.simulate
    changes: dict[str, Any] = {}
    for name in ("slice", "block"):
        part = getattr(inner, name)
        if part is not None:
            changes[name] = part.model_copy(update={"result": from_here(part.result)})
    output = None if settings.output is None else from_here(settings.output)
    return settings.model_copy(
        update={"simulate": inner.model_copy(update=changes), "output": output}
    )
