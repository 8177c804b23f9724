"""Circles through points, and the order of layers from a profile alone."""

import numpy as np
import pytest

from xct.segment.cell.bore_estimate import circle_through
from xct.segment.cell.coarse import known_quantile
from xct.segment.cell.layer_order import order_layers


def points(turn, radius=10.0, y=3.0, x=-4.0):
    return y + radius * np.sin(turn), x + radius * np.cos(turn)


def test_a_circle_is_found_through_an_arc_in_spite_of_points_elsewhere():
    y, x = points(np.linspace(0, 2.0, 40))
    stray = np.random.default_rng(1).uniform(-10, 10, (2, 15))
    y, x = np.concatenate([y, stray[0]]), np.concatenate([x, stray[1]])
    *circle, close = circle_through(y, x, tolerance=0.05)
    np.testing.assert_allclose(circle, [3, -4, 10], atol=0.06)
    assert close[:40].all()


def test_points_on_a_line_or_too_few_are_refused():
    with pytest.raises(ValueError, match="on a line"):
        circle_through(np.arange(9.0), 2 * np.arange(9.0), tolerance=0.1)
    with pytest.raises(ValueError, match="at least 5 points; there are 4"):
        circle_through(np.arange(4.0), np.ones(4), tolerance=0.1)


LAYERS = {"steel": 12, "lithium": 15, "electrolyte": 60, "cathode": 30, "collector": 6, "pin": 12}
LEVELS = {"steel": 100, "lithium": 0, "electrolyte": 5, "cathode": 22, "collector": 4.4, "pin": 90}


@pytest.mark.parametrize("scale", [0.01, 1.0, 3000.0])
@pytest.mark.parametrize(
    "missing",
    [
        (), ("lithium",), ("collector",), ("steel", "pin"),
        ("steel", "lithium", "collector", "pin"), ("cathode", "collector", "pin"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("upside_down", [False, True])
def test_layers_are_distinguished_by_ratios(scale, missing, upside_down):
    names = [name for name in LAYERS if name not in missing]
    level = np.concatenate([np.full(LAYERS[name], LEVELS[name]) for name in names]) * scale
    sd = np.where(level == 22 * scale, 9.0, 0.1) * scale
    if upside_down:
        level, sd = level[::-1], sd[::-1]
    order = order_layers(level, sd)
    assert order.anode_low != upside_down
    assert order.margin > 1.5
    assert order.electrolyte == pytest.approx(5 * scale, rel=0.2)
    thickness = {name: stop - first for name, (first, stop) in order.layers.items()}
    assert thickness["electrolyte"] == 60
    assert thickness.get("cathode", 0) == (0 if "cathode" in missing else 30)
    assert ("lithium" in thickness) == ("lithium" not in missing)


def test_quantiles_leave_out_what_is_not_known():
    values = np.array([[1.0, np.nan, 3.0, 2.0], [np.nan] * 4, [5.0, 5.0, 5.0, 9.0]])
    np.testing.assert_allclose(known_quantile(values, 0.5), [2, np.nan, 5])
    full = np.random.default_rng(0).normal(size=(3, 50))
    expected = np.quantile(full, 0.3, axis=1)
    np.testing.assert_allclose(known_quantile(full, 0.3), expected)
