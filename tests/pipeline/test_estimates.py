"""Estimates: a few rows, read once, determine the axis and the range of values."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.scans import CENTER_PX, write_dxchange
from xct.io.figures import save_figure
from xct.pipeline.estimates import Estimates
from xct.pipeline.monitor import RunWarnings
from xct.pipeline.plan import make_plan
from xct.pipeline.slabs import Slabs

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")


@dataclass
class Notes:
    """What is noted, and where it draws."""

    path: Path
    figures: str = "both"
    noted: dict[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> Any:
        return self.noted.get(name)

    def note(self, name: str, value: Any) -> None:
        self.noted[name] = value

    def save_figure(self, figure: Any, name: str, kind: str | None = None) -> None:
        save_figure(figure, self.path / "figures", name)


@pytest.fixture
def estimates(tmp_path, monkeypatch):
    """Estimates of a small scan, and the rows that they read."""
    scan = write_dxchange(tmp_path / "scan.h5")
    plan = make_plan({"scan": {"file": str(scan)}, "output": str(tmp_path / "out"),
                      "pipeline": "reconstruct"})  # fmt: skip
    slabs = Slabs(plan.scan)
    rows: list[tuple[int, int]] = []
    read = slabs.read

    def counted(first, stop, steps):
        rows.append((first, stop))
        return read(first, stop, steps)

    monkeypatch.setattr(slabs, "read", counted)
    return Estimates(slabs, plan.slab_steps, Notes(tmp_path / "out"), RunWarnings(), 1), rows


def test_rows_are_read_once_for_the_axis_and_for_the_range_of_values(estimates):
    looking, rows = estimates
    looking.find_numbers()
    assert looking.slabs.known["center_px"] == pytest.approx(CENTER_PX, abs=0.25)
    coding = looking.find_coding()
    assert rows == looking.groups()
    assert looking.seen == {}  # nothing is kept while slabs are made
    looking.folder.noted.pop("coding")  # as in a run that was interrupted before
    assert looking.find_coding() == coding
    assert rows == looking.groups() * 2


def test_what_is_noted_is_not_looked_for_again(estimates):
    looking, rows = estimates
    looking.folder.noted |= {
        "numbers": {
            "center_px": {"value": 20.0},
            "stripe_way": {"value": "none"},
            "axis_tilt_deg": {"value": 0.5},
            "angle_jumps": {"value": 0},
            "stage_jitter": {"value": 0.3, "shifts_px": [[0.1], [0.2]]},
        },
        "coding": {"slope": 2.0, "offset": 1.0},
    }
    looking.find_numbers()
    assert looking.slabs.known == {
        "center_px": 20.0,
        "stripe_way": "none",
        "axis_tilt_deg": 0.5,
        "angle_jumps": 0,
        "stage_jitter": ([0.1], [0.2]),
    }
    assert (looking.find_coding().slope, rows) == (2.0, [])


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((10, 8, 30), [(0, 8)]),
        ((600, 128, 640), [(11, 14), (36, 39), (62, 65), (88, 91), (113, 116)]),
        ((2400, 64, 2560), [(5, 7), (18, 20), (31, 33), (43, 45), (56, 58)]),
    ],
    ids=["few rows: all", "small: three at each height", "large: two"],
)
def test_rows_lie_over_the_height_and_are_fewer_in_a_large_scan(estimates, shape, groups):
    looking, _ = estimates
    looking.slabs.scan = SimpleNamespace(projections=SimpleNamespace(shape=shape))
    assert looking.groups() == groups
