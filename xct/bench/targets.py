"""What is wanted of the numbers of a virtual cell. In: scores and summary; out: verdicts.

Each number is right, bounded, withheld or wrong, by the limit that the worst cell is to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from xct.result import Result

Verdict = Literal["right", "bounded", "withheld", "wrong"]
VERDICTS: tuple[Verdict, ...] = ("right", "bounded", "withheld", "wrong")
Scores = Mapping[str, Mapping[str, Any]]
_PRISTINE = ("ncm-0", "lzp-0")
_DRIFTED = ("ncm-50", "ncm-100", "ncm-50-filaments", "ncm-50-gaps")
_SCALE_GV = 2100.0  # between air and electrolyte
# The numbers of the summary that a target is about, which may be stated as a bound.
_BOUNDS: Mapping[str, tuple[str, ...]] = {
    "layer thickness (voxel)": (
        "thickness_um.lithium",
        "thickness_um.electrolyte",
        "thickness_um.cathode",
    ),
    "absent-Li area": ("absent_area_fraction",),
    "inclusions: recall": ("inclusions",),
    "filaments: recall": ("filaments",),
}
# Faces whose maps state a standard deviation for each column, and the gap that is bounded there.
_FACES: Mapping[str, str] = {
    "Li/SE bias (voxel)": "lithium_electrolyte",
    "Li/SE RMSE (voxel)": "lithium_electrolyte",
    "SE/cathode bias (voxel)": "electrolyte_cathode",
    "SE/cathode RMSE (voxel)": "electrolyte_cathode",
}
_DICE: Mapping[str, str] = {
    "Dice: lithium, pristine": "lithium", "Dice: lithium, cycled": "lithium",
    "Dice: electrolyte": "separator", "Dice: steel": "steel",
    "Dice: active material": "active_material",
}  # fmt: skip
_HOLDS = 0.9  # of a map's intervals, for what it states to be believed
_SDS = 2.0  # standard deviations within which an error is one that was stated


@dataclass(frozen=True)
class Target:
    """What a metric is wanted to be, over all cells that have it.

    Attributes
    ----------
    name : str
        As in the table.
    values : callable
        ``values(state, scores, voxel_um)``: what one cell contributes.
    median, worst : float
        Wanted: at least, or at most where `low` is good. The worst may be left open (None).
    low : bool
        Whether small values are good.
    most : float, optional
        The median is wanted between `median` and this.
    """

    name: str
    values: Callable[[str, Scores, float], list[float]]
    median: float
    worst: float | None
    low: bool = True
    most: float | None = None


def _of(metric: str, *, scale: float = 1.0, states: Sequence[str] | None = None) -> Any:
    """Take one metric, by magnitude, from the cells of some states."""

    def values(state: str, scores: Scores, voxel_um: float) -> list[float]:
        if metric not in scores or (states is not None and state not in states):
            return []
        return [abs(scores[metric]["value"]) * scale]

    return values


def _in_voxels(*metrics: str) -> Any:
    def values(state: str, scores: Scores, voxel_um: float) -> list[float]:
        return [abs(scores[m]["value"]) / voxel_um for m in metrics if m in scores]

    return values


def _all_of(prefix: str, scale: float = 1.0) -> Any:
    def values(state: str, scores: Scores, voxel_um: float) -> list[float]:
        return [abs(s["value"]) * scale for m, s in scores.items() if m.startswith(prefix)]

    return values


def _coverage(state: str, scores: Scores, voxel_um: float) -> list[float]:
    """Take the coverage of all stated numbers, and of columns and particles; not those of a few."""
    parts = "coverage_95.numbers."
    names = [m for m in scores if m.startswith("coverage_95.") and not m.startswith(parts)]
    return [float(scores[name]["value"]) for name in names]


def _moved(what: str) -> list[str]:
    faces = ("lithium_electrolyte", "electrolyte_cathode")
    return [f"displacement_{what}_um.{face}" for face in faces]


_LAYERS = ("lithium", "electrolyte", "cathode")
TARGETS = (
    Target("Dice: lithium, pristine", _of("dice.lithium", states=_PRISTINE), 0.98, 0.97, low=False),
    Target(
        "Dice: lithium, cycled",
        _of("dice.lithium", states=("ncm-50", "ncm-100", "lzp-50", "lzp-100")),
        0.97,
        0.95,
        low=False,
    ),
    Target("Dice: electrolyte", _of("dice.separator"), 0.998, 0.995, low=False),
    Target("Dice: steel", _of("dice.steel"), 0.992, 0.985, low=False),
    Target("Dice: active material", _of("dice.active_material"), 0.94, 0.92, low=False),
    Target("Li/SE bias (voxel)", _in_voxels("surface_bias_um.lithium_electrolyte"), 0.05, 0.15),
    Target("Li/SE RMSE (voxel)", _in_voxels("surface_rmse_um.lithium_electrolyte"), 0.25, 0.4),
    Target("SE/cathode bias (voxel)", _in_voxels("surface_bias_um.electrolyte_cathode"), 0.2, 0.4),
    Target("SE/cathode RMSE (voxel)", _in_voxels("surface_rmse_um.electrolyte_cathode"), 0.6, 1.0),
    Target(
        "layer thickness (voxel)",
        _in_voxels(*(f"thickness_error_um.{layer}" for layer in _LAYERS)),
        0.3,
        0.6,
    ),
    Target("absent-Li area", _of("absent_area_error"), 0.01, 0.02),
    Target("Dice: map of absent Li", _of("dice.absent_area"), 0.95, 0.90, low=False),
    Target("particles: recall", _of("particle_recall"), 0.99, 0.97, low=False),
    Target("particles: precision", _of("particle_precision"), 0.99, 0.97, low=False),
    Target("particles: diameter bias (%)", _of("particle_diameter_bias_percent"), 2.0, 4.0),
    Target("drifted: F1", _of("drifted_f1", states=_DRIFTED), 0.97, 0.90, low=False),
    Target(
        "drifted where there are none",
        _of("drifted_false", states=("ncm-0", "lzp-0", "lzp-50", "lzp-100")),
        0,
        0,
    ),
    Target("inclusions: recall", _of("inclusion_recall"), 0.95, 0.85, low=False),
    Target("filaments: recall", _of("filament_recall"), 0.95, 0.9, low=False),
    Target("filaments: that are none", _of("filament_false"), 0, 1),
    Target("filaments: length (%)", _of("filament_length_bias_percent"), 5, 10),
    Target("filaments: thickness (%)", _of("filament_thickness_bias_percent"), 5, 15),
    Target("bridges: error of their number", _of("bridges_error"), 0, 1),
    Target("bounds that hold", _of("bounds_hold"), 1.0, 0.75, low=False),
    Target("inclusions: precision", _of("inclusion_precision"), 0.95, 0.85, low=False),
    Target(
        "grey value of the electrolyte by band (%)",
        _all_of("grey_bias.electrolyte.band", 100 / _SCALE_GV),
        0.2,
        0.5,
    ),
    # Of many particles one number: among the intervals of all that is stated it would not show.
    Target(
        "lithium contents in their 95 % intervals",
        _of("coverage_95.li_content"),
        0.90,
        0.90,
        low=False,
        most=0.99,
    ),
    Target("displacement bias (voxel)", _in_voxels(*_moved("bias")), 0.05, 0.15),
    Target("displacement RMSE (voxel)", _in_voxels(*_moved("rmse")), 0.3, 0.5),
    Target(
        "stated 95 % intervals that hold the truth",
        _coverage,
        0.90,
        None,
        low=False,
        most=0.99,
    ),
)


# Scores of a map, as labels or a face are, and the numbers that are made of it: if the run gives
# none of these, it says of the map that nothing is to be read from it.
_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "Dice: lithium, cycled": ("thickness_um.lithium", "volume_fraction.lithium"),
    "Dice: electrolyte": ("volume_fraction.electrolyte",),
    "Dice: steel": ("volume_fraction.steel",),
    "Dice: active material": ("volume_fraction.active_material", "particles"),
    "Li/SE bias (voxel)": ("thickness_um.lithium",),
    "Li/SE RMSE (voxel)": ("thickness_um.lithium",),
    "SE/cathode bias (voxel)": ("thickness_um.cathode",),
    "SE/cathode RMSE (voxel)": ("thickness_um.cathode",),
    "grey value of the electrolyte by band (%)": ("volume_fraction.electrolyte", "particles"),
    "absent-Li area": ("absent_area_fraction",),
    "inclusions: recall": ("inclusions",),
    "inclusions: precision": ("inclusions",),
}


@dataclass(frozen=True)
class Judged:
    """Scores of a run, its summary and the true one, and what it said.

    A run that was refused has neither scores nor a summary.
    """

    state: str
    scores: Mapping[str, Any]
    summary: Mapping[str, Any]
    true: Mapping[str, Any]
    said: list[str]
    voxel_um: float = 2.0

    @classmethod
    def of(cls, state: str, scores: Mapping[str, Any], result: Result, truth: Result) -> Judged:
        """Take what a result and its truth say."""
        said = [one["message"] for one in result.summary["warnings"]]
        summary, true = dict(result.summary), dict(truth.summary)
        return cls(state, scores, summary, true, said, result.voxel_size_um)

    @classmethod
    def refused(cls, state: str, error: Exception) -> Judged:
        """Take why a run gave no result."""
        return cls(state, {}, {}, {}, [f"refused: {error}"])


def verdicts(run: Judged) -> Iterator[tuple[str, Verdict]]:
    """Judge each target by the limit that the worst cell is to keep."""
    for target in TARGETS:
        if target.worst is None:
            continue
        values = target.values(run.state, run.scores, run.voxel_um)
        made = _MADE_OF.get(target.name, ())
        if not values or (made and not run.summary.keys() & set(made)):
            yield target.name, "withheld"
        elif all(v <= target.worst if target.low else v >= target.worst for v in values):
            yield target.name, "right"
        else:
            yield target.name, "bounded" if _is_bounded(target, run) else "wrong"


def without_figures(message: str) -> str:
    """Leave out what differs between two messages of one kind."""
    return "".join(c for c in message if not (c.isdigit() or c in ".,-−"))


def _is_bounded(target: Target, run: Judged) -> bool:
    """Whether the run says itself that the number may be so far off.

    By a bound of its summary that holds, by standard deviations of which the error is at most two,
    or by the least agreement that it gives of its labels.
    """
    if target.name in _DICE:
        dice, least = (f"{what}.{_DICE[target.name]}" for what in ("dice", "dice_at_least"))
        return _of_score(run, dice) >= _of_score(run, least)  # not where one of them is missing
    if target.name in _FACES:
        return _face_is_stated(_FACES[target.name], run)
    if target.name.startswith("grey value"):
        return _bands_are_stated(target, run)
    held = [_bound_holds(name, run) for name in _BOUNDS.get(target.name, ())]
    return any(one is not None for one in held) and all(one is not False for one in held)


def _of_score(run: Judged, name: str) -> float:
    return float(run.scores[name]["value"]) if name in run.scores else float("nan")


def _bound_holds(name: str, run: Judged) -> bool | None:
    """Whether a number of the summary holds as the bound that it is; None if it is none."""
    mine, true = run.summary.get(name, {}), run.true.get(name, {})
    if "bound" not in mine or "value" not in true:
        return None
    above = bool(mine["value"] >= true["value"])
    return above if mine["bound"] == "upper" else bool(mine["value"] <= true["value"])


def _face_is_stated(face: str, run: Judged) -> bool:
    """Whether a face is off by no more than its map states, or than a gap beside it may be wide.

    A gap is dark as lithium is. A bound of it is given of every cell: it says something of the
    face only where there is a gap.
    """
    bias, rmse, sd = (_of_score(run, f"surface_{k}_um.{face}") for k in ("bias", "rmse", "sd"))
    if _of_score(run, f"coverage_95.surface.{face}") >= _HOLDS and rmse <= _SDS * sd:
        return True
    gap = "gap_at_lithium_um"
    there = face == "lithium_electrolyte" and run.true.get(gap, {}).get("value", 0.0) > 0
    most_um = run.summary.get(gap, {}).get("value", 0.0)
    return bool(there and _bound_holds(gap, run) and max(abs(bias), rmse) <= most_um)


def _bands_are_stated(target: Target, run: Judged) -> bool:
    """Whether each band that is beyond the limit is within two of its standard deviations."""
    start, found = "grey_bias.electrolyte.band", []
    for name in run.scores:
        if name.startswith(start):
            sd = _of_score(run, name.replace("grey_bias", "grey_sd"))
            limit = _SCALE_GV * (target.worst or 0.0) / 100
            found.append(abs(_of_score(run, name)) <= max(limit, _SDS * sd))
    return all(found)
