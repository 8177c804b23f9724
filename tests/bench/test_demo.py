"""The table of the demo: numbers with their bounds and their uncertainties."""

from xct.bench.demo import with_sd


def test_numbers_of_the_demo_carry_their_bound_and_their_uncertainty():
    gone = {"value": 0.1223, "sd": 0.0063, "bound": "lower", "unit": "1"}
    assert with_sd(gone, 100.0, 1) == "≥ 12.2 ± 0.6"
    assert with_sd({"value": 39.88, "sd": 0.2, "bound": "upper"}, 1.0, 1) == "≤ 39.9 ± 0.2"
    assert with_sd({"value": 6, "n": 8057}, 1.0, 0) == "6"  # a count that is complete
