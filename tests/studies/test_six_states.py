"""The study of six states: what it sums up is counted by hand."""

from studies.six_states import TWIN, table


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
