"""Tab completes what a command takes: recipes, stages, settings, states; not files alone."""

import pytest
from click.shell_completion import BashComplete

from xct.cli.main import xct


def words(*arguments, begun=""):
    """What Tab would offer after `xct ARGUMENTS`."""
    complete = BashComplete(xct, {}, "xct", "_XCT_COMPLETE")
    found = complete.get_completions(list(arguments), begun)
    return [item.value if item.type == "plain" else f"<{item.type}>" for item in found]


@pytest.mark.parametrize(
    ("arguments", "begun", "expected"),
    [
        ([], "ini", ["init"]),
        (["init", "scan.h5", "--pipeline"], "tomo", ["tomo_cell"]),
        (["stages"], "find_c", ["find_cell", "find_center"]),
        (["run", "c.yaml", "--until"], "fb", ["fbp"]),
        (["run", "c.yaml", "--keep"], "line", ["line_integrals"]),
        (["preview", "c.yaml", "--sweep"], "fbp.win", ["fbp.window="]),
        (["check", "c.yaml", "--set"], "scan.bi", ["scan.bin="]),
        (["run", "c.yaml", "--set"], "steps.fbp.win", ["steps.fbp.window="]),
        (["run", "c.yaml", "--set"], "pipe", ["pipeline="]),
        (["run", "c.yaml", "--set"], "volume.uni", ["volume.unit="]),
        (["phantom"], "lzp-1", ["lzp-100"]),
        (["export", "out", "--labels"], "mat", ["materials"]),
    ],
)
def test_values_are_completed(arguments, begun, expected):
    assert words(*arguments, begun=begun) == expected


def test_a_recipe_or_a_roi_set_of_ones_own_is_completed_as_a_file():
    assert words("init", "scan.h5", "--pipeline", begun="./my") == ["<file>"]
    assert words("render", "out", "--rois", begun="./my") == ["<file>"]
    shipped = words("rois", "out")
    assert shipped
    assert "<file>" not in shipped
