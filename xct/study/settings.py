"""Settings of a study: which results, and what they are. In: YAML or results; out: a Study."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from xct.config.loading import read_document
from xct.config.messages import validation_messages
from xct.config.model import Section, place_of
from xct.errors import ConfigError
from xct.io.cyclers import CyclerColumns
from xct.io.yaml import Document
from xct.result import Result

ROI_SET = "zheng2023"
SurfaceName = Literal[
    "steel_lithium", "lithium_electrolyte", "electrolyte_cathode", "cathode_collector"
]
Point = tuple[float, float, float]


class CyclerColumnNames(Section):
    """Headings of a CSV that is no export of a known cycler; the key says the unit."""

    time_s: str | None = Field(None, description="heading of the time of the test, s")
    time_h: str | None = Field(None, description="the same, h")
    voltage_v: str = Field(description="heading of the voltage, V")
    current_ma: str | None = Field(
        None, description="heading of the current, mA, positive while the cell is charged"
    )
    current_a: str | None = Field(None, description="the same, A")

    @model_validator(mode="after")
    def _one_of_each(self) -> CyclerColumnNames:
        for one, other in (("time_s", "time_h"), ("current_ma", "current_a")):
            if (getattr(self, one) is None) == (getattr(self, other) is None):
                raise ValueError(f"name either {one} or {other}")
        return self

    def columns(self) -> CyclerColumns:
        """Give headings with what their units are in s, V and mA."""
        return CyclerColumns(
            self.time_s or self.time_h or "",
            self.voltage_v,
            self.current_ma or self.current_a or "",
            time_s=1.0 if self.time_s else 3600.0,
            current_ma=1.0 if self.current_ma else 1000.0,
        )


class CyclerSection(Section):
    """What a cycler recorded of a cell."""

    file: str | Annotated[list[str], MinLen(1)] = Field(
        description="its file, or several in their order"
    )
    columns: CyclerColumnNames | None = Field(
        None, description="headings, if it is no export of BioLogic, Neware, Arbin or Landt"
    )
    accuracy: Annotated[float, Ge(0), Le(0.1)] = Field(
        0.001, description="relative standard uncertainty of a charge against a discharge"
    )

    @property
    def files(self) -> list[str]:
        """Every file, in its order."""
        return [self.file] if isinstance(self.file, str) else self.file


class StudyCell(Section):
    """A cell of the study; what is not given is read in its result."""

    result: Annotated[str, MinLen(1)] = Field(description="result of the cell")
    name: Annotated[str, Field(coerce_numbers_to_str=True)] | None = Field(
        None, strict=False, description="name of the cell"
    )
    group: Annotated[str, Field(coerce_numbers_to_str=True)] | None = Field(
        None, strict=False, description="cells that are compared with each other, such as NCM"
    )
    cycles: Annotated[int, Ge(0)] | None = Field(None, description="cycles before the scan")
    pristine: bool | None = Field(
        None, description="the others of its group are compared with it; that of 0 cycles unless"
    )
    simulation: str | list[str] | None = Field(
        None, description="folders that xct simulate wrote for planes or blocks of it; those that "
        "lie with its result unless given",
    )  # fmt: skip
    cycler: CyclerSection | None = Field(
        None, description="what a cycler recorded of it: a file, or {file, columns, accuracy}"
    )

    @property
    def simulations(self) -> list[str] | None:
        """Every folder of a simulation that is named; None where those beside a result count."""
        given = self.simulation
        return [given] if isinstance(given, str) else given

    @field_validator("cycler", mode="before")
    @classmethod
    def _file_alone(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, str | list) else value


class SectionPlane(Section):
    """Which plane the cross-sections show."""

    along: Literal["x", "y"] = Field("x", description="direction across the picture")
    offset_um: float | None = Field(
        None, description="from the axis; the most damaged plane unless given"
    )


class ProfileSection(Section):
    """A thick line in cell coordinates, along which grey values are averaged in every cell."""

    surface: SurfaceName = Field(description="from which depths count, away from the anode")
    from_um: Point = Field(
        strict=False, description="where it begins: [depth, y, x], from the axis"
    )
    to_um: Point = Field(strict=False, description="where it ends: [depth, y, x]")
    width_um: Annotated[float, Gt(0), Le(1000)] = Field(6.0, description="its diameter")

    @model_validator(mode="after")
    def _has_a_length(self) -> ProfileSection:
        if self.from_um == self.to_um:
            raise ValueError("the line ends where it starts")
        return self


class StudySection(Section):
    """What is compared."""

    title: str = Field("Cells side by side", description="title of the report")
    cells: list[StudyCell] = Field(min_length=1, description="the cells, in the order of figures")
    same_cell: bool = Field(False, description="the results are one cell in several states")
    displacement: bool = Field(
        False, description="how far surfaces moved; only if it is the same cell"
    )
    rois: str = Field(ROI_SET, description="ROI set: a name that xct ships, or a file")
    profiles: dict[str, ProfileSection] = Field(
        default_factory=dict, description="lines through every cell, by name"
    )
    render: bool = Field(
        True, description="pictures in 3-D, and a page to turn the cells, if xct[render] is there"
    )
    section: SectionPlane = Field(
        default_factory=lambda: SectionPlane.model_validate({}), description="plane of the pictures"
    )


class Study(Section):
    """A whole study, with every default written out."""

    study: StudySection = Field(description="what is compared")
    output: str | None = Field(None, description="folder for report, tables and figures")
    _document: Document = PrivateAttr(default_factory=lambda: Document(None))
    _name: str = PrivateAttr(default="study")

    def place(self, *key: str | int) -> str:
        """Say where a key stands, for a message: its file and line."""
        return place_of(self._document, self._name, key)


def load_study(source: Path | str | Mapping[str, Any] | Sequence[Path | str | Result]) -> Study:
    """Read and check a study.

    Parameters
    ----------
    source : path, mapping or sequence
        A YAML file (relative paths inside start at its folder), the same as a mapping, or results:
        these say of themselves what they are.

    Raises
    ------
    ConfigError
        With every error at once: file, line, key, value and what is allowed.
    """
    if isinstance(source, str | Path | Mapping):
        return _checked(*read_document(source, "study"))
    paths = [each.path if isinstance(each, Result) else Path(each) for each in source]
    cells = [{"result": str(path)} for path in paths]
    return _checked(*read_document({"study": {"cells": cells}}, "study"))


def _checked(document: Document, name: str, folder: Path) -> Study:
    if not isinstance(document.value, dict):
        raise ConfigError(
            f"{name}: holds no study; write study: {{cells: [{{result: …}}, …]}} and output: DIR"
        )
    try:
        study = Study.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError(*validation_messages(error, document, name, Study)) from None
    study._document, study._name = document, name
    return _absolute(study, folder)


def _absolute(study: Study, folder: Path) -> Study:
    def from_here(text: str) -> str:
        return os.path.normpath(Path(folder, os.path.expanduser(text)))

    inner = study.study
    cells = [_cell_from(cell, from_here) for cell in inner.cells]
    is_file = "/" in inner.rois or inner.rois.endswith((".yaml", ".yml"))
    changes: dict[str, Any] = {"cells": cells}
    if is_file:
        changes["rois"] = from_here(inner.rois)
    output = None if study.output is None else from_here(study.output)
    return study.model_copy(update={"study": inner.model_copy(update=changes), "output": output})


def _cell_from(cell: StudyCell, from_here: Callable[[str], str]) -> StudyCell:
    changes: dict[str, Any] = {"result": from_here(cell.result)}
    if cell.simulation is not None:
        changes["simulation"] = [from_here(folder) for folder in cell.simulations or []]
    if cell.cycler is not None:
        files = [from_here(file) for file in cell.cycler.files]
        changes["cycler"] = cell.cycler.model_copy(update={"file": files})
    return cell.model_copy(update=changes)
