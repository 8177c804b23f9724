"""The study of six states: what it sums up is counted by hand."""

from studies.six_states import TWIN, TWINS, table, table_of_twins
from xct.phantom.cell.states import STATES
from xct.study.claims.conclusions import _LAYERS


def row(cell, low, high, true, number="thickness_um.lithium"):
    return {
        "seed": 0, "cell": cell, "number": number, "change": (low + high) / 2, "low": low,
        "high": high, "true": true,
    }  # fmt: skip


def test_intervals_that_hold_the_truth_changes_that_were_seen_and_false_ones_are_counted():
    found = [
        row("ncm-50", -3.0, -1.0, -2.0),  # held, told
        row("ncm-100", -3.0, 1.0, -2.0),  # held, not told
        row("lzp-50", 1.0, 3.0, -2.0),  # neither held nor told: the wrong way
        row("lzp-100", -1.0, 1.0, 0.0),  # held; it did not change
        row(TWIN, 0.1, 1.0, 0.0),  # false
        {"seed": 0, "cell": "ncm-100", "number": "rois", "p": 0.01},
        {"seed": 0, "cell": TWIN, "number": "rois", "p": 0.6},
    ]
    lines = table(found).splitlines()
    assert lines[2] == "| thickness_um.lithium | 3 of 4 | 1 of 3 | 1 of 1 |"
    assert lines[3] == "| grey values of ROIs, p ≤ 0.05 | | 1 of 1 | 0 of 1 |"


def test_what_is_supported_of_a_twin_is_counted_by_whether_it_is_so():
    drift, gone = (
        next(text for _, text, *_ in _LAYERS if part in text)
        for part in ("drifted into", "gone in places")
    )  # without drift, lithium is gone, and nothing has drifted
    found = [
        {"seed": seed, "cell": "ncm-100-delithiated-only", "conclusion": text, "support": support}
        for text in (drift, gone)
        for seed, support in enumerate(("supported", "cannot be told"))
    ]
    assert TWINS.keys() <= STATES.keys()
    [line] = [
        one for one in table_of_twins(found).splitlines() if one.startswith("| delithiated-only")
    ]
    assert "gone in places: 1 of 2" in line.split("|")[2]
    assert "cathode drifted into: 1 of 2" in line.split("|")[3]
