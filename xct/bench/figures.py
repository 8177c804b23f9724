"""What a bench found, on paper. In: figures; out: JSON, PNG, and tables for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from xct.bench import machine
from xct.io.atomic import write_text


@dataclass(frozen=True)
class Target:
    """A figure beside what it should be.

    Attributes
    ----------
    what : str
        What was measured.
    value : float
        The figure.
    sense : {"at most", "at least"}
        Which side of the target is good.
    target : float
        What it should be.
    unit : str
        Unit of all of them.
    stretch : float, optional
        What it might be.
    """

    what: str
    value: float
    sense: Literal["at most", "at least"]
    target: float
    unit: str
    stretch: float | None = None

    @property
    def met(self) -> bool:
        """Whether the figure is as it should be."""
        return self.value <= self.target if self.sense == "at most" else self.value >= self.target

    def as_dict(self) -> dict[str, Any]:
        """Give everything for JSON."""
        return {**asdict(self), "met": self.met}


def write_figures(out: Path, name: str, size: str, found: Mapping[str, Any]) -> Path:
    """Write what a bench found, with the machine and every version, as ``NAME.json``."""
    out.mkdir(parents=True, exist_ok=True)
    whole = {
        "bench": name,
        "size": size,
        "machine": machine.describe(),
        "versions": machine.versions(),
        "absent": machine.absent(),
        **found,
    }
    path = out / f"{name}.json"
    write_text(path, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    return path


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a table: the first column to the left, the others to the right."""
    cells = [[_shown(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(heads))]
    lines = []
    for row in cells:
        first, rest = row[0].ljust(widths[0]), zip(row[1:], widths[1:], strict=True)
        lines.append("  ".join([first, *(cell.rjust(width) for cell, width in rest)]).rstrip())
    lines.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def targets_table(targets: Sequence[Target]) -> str:
    """Lay out figures beside their targets, met or missed."""
    rows = [
        (
            t.what,
            t.value,
            f"{'≤' if t.sense == 'at most' else '≥'} {t.target:g}",
            "" if t.stretch is None else t.stretch,
            t.unit,
            "met" if t.met else "MISSED",
        )
        for t in targets
    ]
    return table(("target", "figure", "target", "stretch", "unit", ""), rows)


def machine_line() -> str:
    """Say in one line where figures were measured, and which peers are absent."""
    about = machine.describe()
    text = f"{about['cores']} cores, {about['processor']}, Python {about['python']}"
    missing = machine.absent()
    return text + (f"; not installed: {', '.join(missing)}" if missing else "")


def _shown(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:.0f}"
    return str(cell)


def draw_times(
    path: Path,
    times: Mapping[str, Sequence[tuple[int, float]]],
    guide: tuple[str, Sequence[tuple[int, float]]],
) -> None:
    """Draw seconds a slice against the width, both on logarithmic axes.

    Parameters
    ----------
    path : Path
        PNG to write.
    times : mapping of str to sequence of (columns, seconds)
        By package, ours first.
    guide : (str, sequence of (columns, seconds))
        A line to compare with, and its name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(*zip(*guide[1], strict=True), color="0.6", ls="--", lw=1)
    axes.annotate(guide[0], guide[1][-1], color="0.45", fontsize=9, ha="right", va="top",
                  xytext=(0, -22), textcoords="offset points")  # fmt: skip
    colors = ("#0b3c8c", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")
    color_of = {name: colors[number % len(colors)] for number, name in enumerate(times)}
    for name in sorted(times, key=lambda name: -times[name][-1][1]):  # the legend as the lines
        columns, seconds = zip(*times[name], strict=True)
        width, size = (3.0, 8.0) if color_of[name] == colors[0] else (1.3, 5.0)
        axes.plot(columns, seconds, "o-", color=color_of[name], label=name, lw=width, ms=size)
    axes.set(xscale="log", yscale="log", xlabel="width of the slice, pixels")
    axes.set_ylabel("seconds a slice")
    widths = sorted({place for points in times.values() for place, _ in points})
    axes.set_xticks(widths, [str(place) for place in widths])
    axes.minorticks_off()
    axes.set_xlim(widths[0] / 1.3, widths[-1] * 1.1)
    axes.grid(color="0.9", lw=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_title("Filtered back-projection of one slice", loc="left", fontsize=11)
    figure.text(0.01, -0.03, machine_line(), fontsize=7, color="0.4")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, bbox_inches="tight")
