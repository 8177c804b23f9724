"""Settings of a study: which results, and what they are. In: YAML or results; out: a Study."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen
from pydantic import Field, PrivateAttr, ValidationError

from xct.config.loading import read_text
from xct.config.messages import validation_messages
from xct.config.model import Section, place_of
from xct.errors import ConfigError, nearest
from xct.io.yaml import Document, parse
from xct.result import Result

ROI_SET = "zheng2023"


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


class SectionPlane(Section):
    """Which plane the cross-sections show."""

    along: Literal["x", "y"] = Field("x", description="direction across the picture")
    offset_um: float | None = Field(
        None, description="from the axis; the most damaged plane unless given"
    )


class StudySection(Section):
    """What is compared."""

    title: str = Field("Cells side by side", description="title of the report")
    cells: list[StudyCell] = Field(min_length=1, description="the cells, in the order of figures")
    same_cell: bool = Field(False, description="the results are one cell in several states")
    displacement: bool = Field(
        False, description="how far surfaces moved; only if it is the same cell"
    )
    rois: str = Field(ROI_SET, description="ROI set: a name that xct ships, or a file")
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
    if isinstance(source, Mapping):
        return _checked(Document(dict(source)), "study", Path.cwd())
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
            raise ConfigError(f"{path}: no such study{nearest(path.name, siblings)}")
        document = parse(read_text(path))
        if document.errors:
            raise ConfigError(*(f"{path}:{line}: {text}" for line, text in document.errors))
        return _checked(document, str(path), path.resolve().parent)
    paths = [each.path if isinstance(each, Result) else Path(each) for each in source]
    cells = [{"result": str(path)} for path in paths]
    return _checked(Document({"study": {"cells": cells}}), "study", Path.cwd())


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
    cells = [c.model_copy(update={"result": from_here(c.result)}) for c in inner.cells]
    is_file = "/" in inner.rois or inner.rois.endswith((".yaml", ".yml"))
    changes: dict[str, Any] = {"cells": cells}
    if is_file:
        changes["rois"] = from_here(inner.rois)
    output = None if study.output is None else from_here(study.output)
    return study.model_copy(update={"study": inner.model_copy(update=changes), "output": output})
