"""Cells side by side. In: a study or results; out: tables, figures, an answer, one report."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import xct
from xct.analyze.roi.files import read_rois, roi_set_file
from xct.errors import XctError
from xct.figures import journal_width, panel_letters
from xct.io.atomic import write_text, written_whole
from xct.io.figures import svg
from xct.io.tables import write_table
from xct.render.rendering import page_of
from xct.render.viewer import PAGE
from xct.report.of_run import REPORT
from xct.report.page import Part, pictures, render
from xct.result import Result
from xct.study.answers import answers
from xct.study.cells import Cell, open_cells
from xct.study.claims.claim import Claim, claims_table
from xct.study.claims.conclusions import (
    Conclusion,
    conclusions,
    conclusions_by_cell,
    conclusions_table,
)
from xct.study.claims.grey_claims import grey_claims
from xct.study.claims.part import claims_part
from xct.study.codependence.measured import (
    Together,
    codependence_table,
    measure_together,
)
from xct.study.codependence.part import codependence_part
from xct.study.cycling.balance import Balance, balances
from xct.study.cycling.measured import Cycled, read_cyclers
from xct.study.cycling.part import cycling_part, cycling_tables
from xct.study.grey import GreyCell, histograms_of, homogeneity_table, measure_grey, statistics
from xct.study.grey_part import grey_part
from xct.study.in_3d import in_3d_part, pictures_in_3d
from xct.study.layers import (
    Row,
    displacement_table,
    layer_rows,
    layers_part,
    layers_table,
)
from xct.study.line_profiles import (
    Profile,
    measure_profiles,
    profile_numbers,
    profiles_part,
    profiles_table,
)
from xct.study.methods import METHODS
from xct.study.provenance import provenance_table, warnings_of_runs
from xct.study.sections import check_plane, sections_part
from xct.study.settings import Study, load_study
from xct.study.simulated.part import (
    AllSimulated,
    read_simulated,
    simulated_part,
    simulated_table,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_NOTHING = "Nothing is compared: no group has a pristine cell and another one."
_NOTE = (
    "Brackets are 95 % intervals of the measurement. Cells of one group are different cells unless "
    "the study says otherwise: how differently two cells were built is not a part of any interval."
)


@dataclass(frozen=True)
class Comparison:
    """What was found in a study.

    Attributes
    ----------
    study : Study
        Its settings.
    cells : list of Cell
        In the order of the study.
    rows : list of Row
        Numbers of the layers.
    grey : list of GreyCell
        Grey values of ROIs.
    together : list of Together
        Codependence of cathode and lithium.
    cycled : list of Cycled
        What the cyclers say, of the cells that name a file.
    balances : list of Balance
        Where the lithium is, of the cells that have a pristine one.
    profiles : list of Profile
        Grey values along lines.
    displacement : DataFrame
        How far surfaces moved, if it is one cell in several states; else empty.
    warnings : list of str
        What must be known; warnings of the runs are in the report.
    simulated : AllSimulated
        Simulated current beside lost lithium, of simulations that were named or lie with results.
    """

    study: Study
    cells: list[Cell]
    rows: list[Row]
    grey: list[GreyCell]
    together: list[Together]
    cycled: list[Cycled]
    balances: list[Balance]
    profiles: list[Profile]
    displacement: DataFrame
    warnings: list[str]
    simulated: AllSimulated = field(default_factory=AllSimulated)

    @cached_property
    def answers(self) -> list[tuple[str, list[str]]]:
        """Say what is different in each cell, in sentences, by a heading."""
        return answers(
            self.cells, self.rows, self.grey, self.together, self.cycled, self.balances,
            self.conclusions, self.claims,
        )  # fmt: skip

    @cached_property
    def claims(self) -> list[Claim]:
        """Say of each claim that rests on grey values what could make it at all."""
        return grey_claims(self.grey)

    @cached_property
    def conclusions(self) -> list[Conclusion]:
        """Say which conclusions these data support."""
        return conclusions(self.cells, self.rows, self.claims, self.together)

    @cached_property
    def tables(self) -> dict[str, DataFrame]:
        """Every table by the name of its file; those without a row are left out."""
        made = {
            "layers": layers_table(self.rows),
            "grey_statistics": statistics(self.grey),
            "histograms": histograms_of(self.grey),
            "homogeneity": homogeneity_table(self.grey),
            "codependence": codependence_table(self.together),
            "conclusions_by_cell": conclusions_by_cell(self.conclusions, self.cells),
            "conclusions": conclusions_table(self.conclusions),
            "grey_claims": claims_table(self.claims),
            **cycling_tables(self.cycled, self.balances),
            "profiles": profiles_table(self.profiles),
            "profile_numbers": profile_numbers(self.profiles),
            "simulated": simulated_table(self.simulated),
            "displacement": self.displacement,
        }
        return {name: table for name, table in made.items() if len(table)}

    @cached_property
    def parts(self) -> list[Part]:
        """Sections of the report, with their figures and tables."""
        import matplotlib

        with matplotlib.rc_context({"text.parse_math": False}):  # a name may hold a dollar
            parts = [part for part in self._parts() if part.figures or part.tables]
        for figure, _ in (drawn for part in parts for drawn in part.figures.values()):
            if figure is not None:
                journal_width(panel_letters(figure))
        return parts

    @property
    def figures(self) -> dict[str, Figure]:
        """Every figure by the name of its file, as wide as a page of a journal at most."""
        drawn = [(n, figure) for part in self.parts for n, (figure, _) in part.figures.items()]
        return {name: figure for name, figure in drawn if figure is not None}

    @cached_property
    def _pngs(self) -> dict[str, bytes]:
        return pictures(self.parts)

    @cached_property
    def _svgs(self) -> dict[str, bytes]:
        return {name: svg(figure, name) for name, figure in self.figures.items()}

    def report(self) -> str:
        """Give the report as one HTML file that needs nothing else."""
        plain = self.study.model_dump(mode="json")
        settings = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
        now = datetime.datetime.now(datetime.UTC)
        return render(
            title=self.study.study.title,
            answers=self.answers,
            note=_NOTE if self.answers else _NOTHING,
            parts=self.parts,
            pngs=self._pngs,
            methods=METHODS,
            settings=settings,
            warnings=[*self.warnings, *warnings_of_runs(self.cells)],
            provenance=provenance_table(self.cells, self.cycled),
            made=f"Made by xct {xct.__version__} on {now:%Y-%m-%d at %H:%M} UTC.",
            svgs=self._svgs,
            tables=self.tables,
        )

    def write(self, folder: Path | str) -> Path:
        """Write report, tables and figures into a folder; files of an earlier one are replaced.

        Returns
        -------
        Path
            The report.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            write_table(folder / "tables" / f"{name}.csv", table)
        (folder / "figures").mkdir(exist_ok=True)
        for ending, several in (("png", self._pngs), ("svg", self._svgs)):
            for name, picture in several.items():
                with written_whole(folder / "figures" / f"{name}.{ending}") as temporary:
                    temporary.write_bytes(picture)
        write_text(folder / REPORT, self.report())
        if self._in_3d:
            write_text(folder / PAGE, page_of(self._named))
        return folder / REPORT

    def _parts(self) -> Iterator[Part]:
        tables = self.tables
        yield claims_part(tables)
        yield sections_part(self.cells, self.study.study.section)
        yield in_3d_part(self._in_3d)
        yield layers_part(self.cells, self.rows, tables)
        yield grey_part(self.cells, self.grey, tables)
        yield profiles_part(self.cells, self.profiles, tables)
        yield codependence_part(self.together, tables)
        yield simulated_part(self.simulated, tables)
        yield cycling_part(self.cycled, self.balances, tables)

    @cached_property
    def _named(self) -> dict[str, Result]:
        """Results of the cells that can be shown in 3-D."""
        return {c.name: c.result for c in self.cells if c.geometry is not None}

    @cached_property
    def _in_3d(self) -> dict[str, tuple[Figure, str]]:
        """Draw the cells in 3-D; nothing where that is not asked for or cannot be."""
        return pictures_in_3d(self._named) if self.study.study.render else {}


def compare(
    source: Path | str | Mapping[str, Any] | Sequence[Path | str | Result],
    *,
    out: Path | str | None = None,
) -> Comparison:
    """Put cells side by side.

    Parameters
    ----------
    source : path, mapping or sequence
        A study in YAML, the same as a mapping, or results, which say of themselves what they are.
    out : path, optional
        Folder for report, tables and figures; the study's `output` unless given. Nothing is
        written where neither is given.

    Returns
    -------
    Comparison

    Raises
    ------
    XctError
        With every reason why the results cannot be compared.
    """
    study = load_study(source)
    (cells, warnings), rois = _every_error(
        lambda: open_cells(study), lambda: read_rois(roi_set_file(study.study.rois))
    )
    check_plane(cells, study.study.section)
    cycled, of_cyclers = read_cyclers(study, cells)
    grey = measure_grey(cells, rois)
    profiles, of_profiles = measure_profiles(cells, study.study.profiles)
    simulated = read_simulated(cells, [cell.simulations for cell in study.study.cells])
    moved, said = displacement_table(cells if study.study.same_cell else [])
    found = Comparison(
        study,
        cells,
        layer_rows(cells),
        grey,
        measure_together(cells),
        cycled,
        balances(cells, cycled),
        profiles,
        moved,
        [
            *warnings,
            *of_cyclers,
            *of_profiles,
            *said,
            *(text for each in grey for text in each.left_out),
            *simulated.warnings,
        ],
        simulated,
    )
    folder = out if out is not None else study.output
    if folder is not None:
        found.write(folder)
    return found


def _every_error(*steps: Callable[[], Any]) -> list[Any]:
    """Give the answers of steps that need none of each other's, or the errors of all."""
    answers: list[Any] = []
    errors: list[str] = []
    for step in steps:
        try:
            answers.append(step())
        except XctError as error:
            errors += error.errors
    if errors:
        raise XctError(*errors)
    return answers
