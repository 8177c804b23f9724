"""The physics guard, and conclusions in words: each cause is drawn by hand, so it must be named."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.study.stubs import number, stub
from xct.analyze import BoxRoi
from xct.geometry import Label
from xct.physics.materials import mu_per_cm
from xct.study.claims.claim import claims_table, full_charge_grey
from xct.study.claims.conclusions import (
    Conclusion,
    conclusions,
    conclusions_by_cell,
    conclusions_table,
    in_words,
)
from xct.study.claims.grey_claims import grey_claims
from xct.study.claims.part import claims_part
from xct.study.grey import GreyCell
from xct.study.layers import Row

FRACTION = 0.3  # of active material in the ROI of the cathode
FULL = 2100 * float(mu_per_cm("ncm811", 25.0, lithium=0.0) - mu_per_cm("ncm811", 25.0)) / 5.0


def materials_of(active, low=0.0):
    found = np.zeros(256)
    found[[Label.ACTIVE_MATERIAL, Label.LOW_GREY]] = active, low
    found[Label.ELECTROLYTE] = 1 - active - low
    return found


def grey(cell, mean, tail, active=FRACTION, low=0.0):
    rows = [
        {"roi": roi, "mean": m, "mean_low": m - 100, "mean_high": m + 100,
         "tail_fraction": t, "tail_fraction_low": t - 0.001, "tail_fraction_high": t + 0.001}
        for roi, m, t in (("C-1", mean, 0.01), ("E-1", 22_100.0, tail))
    ]  # fmt: skip
    parts = {"C-1": materials_of(active, low), "E-1": materials_of(0.0)}
    return GreyCell(cell, [], {"grey_statistics": pd.DataFrame(rows)}, [], parts)


def claims_of(mean, *, tail=0.002, active=FRACTION, low=0.0, cell=None):
    fresh = stub("A-0", lithium_um=40.0)
    levels = {"material": ["electrolyte", "active_material", "low_grey"],
              "mean_grey": [22_100.0, 38_000.0, 20_200.0]}  # fmt: skip
    fresh.tables["materials"] = pd.DataFrame(levels)
    cell = cell or stub("A-100", lithium_um=20.0)
    cell.pristine, cell.is_pristine = fresh, False
    found = grey_claims([grey(fresh, 28_000.0, 0.002), grey(cell, mean, tail, active, low)])
    return {claim.what.split(":")[0].split(" of the voxels")[0]: claim for claim in found}


def test_taking_out_all_lithium_brightens_active_material_by_what_the_tables_say():
    assert full_charge_grey(stub("A", lithium_um=1.0)) == pytest.approx(FULL)
    assert claims_of(28_000.0)["C-1"].possible == pytest.approx((0.0, FRACTION * FULL))


@pytest.mark.parametrize(
    ("mean", "active", "verdict"),
    [
        (28_050.0, FRACTION, "no_change"),
        (28_400.0, FRACTION, "possible"),
        (28_000.0 + FRACTION * FULL + 300, FRACTION, "other_cause"),
        (27_600.0, FRACTION, "other_cause"),  # darker: no lithium content makes that
        (28_477.0, FRACTION + 0.03, "composition"),  # 3 % more of it make +477
        (27_523.0, FRACTION - 0.03, "composition"),
    ],
)
def test_a_changed_mean_of_the_cathode_is_judged_by_what_could_make_it(mean, active, verdict):
    claim = claims_of(mean, active=active)["C-1"]
    assert claim.verdict == verdict
    assert ("composition" in " ".join(claim.flags)) == (verdict == "composition")


def layered(cell, front, back):
    """A cathode of two ROIs, one below the other."""
    rows = [{"roi": roi, "mean": m, "mean_low": m - 80, "mean_high": m + 80}
            for roi, m in (("f1", front), ("f3", back))]  # fmt: skip
    rois = [BoxRoi("f1", "electrolyte_cathode", (0, 10), (-20, 20), (-20, 20)),
            BoxRoi("f3", "electrolyte_cathode", (40, 50), (-20, 20), (-20, 20))]  # fmt: skip
    parts = {"f1": materials_of(FRACTION), "f3": materials_of(FRACTION)}
    return GreyCell(cell, rois, {"grey_statistics": pd.DataFrame(rows)}, [], parts)


@pytest.mark.parametrize(
    ("front", "back", "verdict", "support"),
    [
        (28_000.0, 28_050.0, "no_change", "not shown"),
        (28_400.0, 28_000.0, "possible", "supported"),
        (28_000.0, 29_200.0, "other_cause", "supported"),
    ],
)
def test_a_change_with_depth_is_held_against_what_lithium_could_make(front, back, verdict, support):
    fresh, cell = stub("A-0", lithium_um=40.0), stub("A-100", lithium_um=20.0)
    cell.pristine, cell.is_pristine = fresh, False
    found = grey_claims([layered(fresh, 28_000.0, 28_000.0), layered(cell, front, back)])
    [claim] = [c for c in found if c.what.startswith("f1 less f3")]
    assert claim.verdict == verdict
    assert claim.possible == pytest.approx((-FRACTION * FULL, FRACTION * FULL))
    said = {c.text: c for c in conclusions([fresh, cell], [], found, [])}
    assert said["Grey values of the cathode changed with depth"].support == support


def test_a_tail_of_the_electrolyte_is_lithium_or_void_and_never_decided():
    assert claims_of(28_000.0, tail=0.02)["E-1"].verdict == "lithium_or_void"
    assert claims_of(28_000.0, tail=0.0021)["E-1"].verdict == "no_change"


def with_contents(read, excluded):
    high = np.full(100, 1.1)
    high[:excluded] = 0.8
    content = np.where(np.arange(100) < read, 0.7, np.nan)
    return stub("A-100", lithium_um=20.0, contents=(content, content - 0.3, high))


@pytest.mark.parametrize(
    ("read", "excluded", "verdict", "support"),
    [
        (100, 0, "no_change", "not shown"),
        (100, 3, "no_change", "not shown"),  # by chance 2.5 % leave out the truth
        (100, 40, "less_lithium", "supported"),
        (10, 9, "undecided", "cannot be told"),
    ],
)
def test_less_lithium_is_concluded_only_where_many_particles_exclude_x_1(
    read, excluded, verdict, support
):
    cell = with_contents(read, excluded)
    found = claims_of(28_000.0, cell=cell)
    [claim] = [c for c in found.values() if c.what.startswith("particles whose")]
    assert claim.verdict == verdict
    [said] = [
        c for c in conclusions([cell.pristine, cell], [], list(found.values()), [])
        if "less lithium" in c.text
    ]  # fmt: skip
    assert said.support == support


def test_less_lithium_in_a_cell_without_any_is_concluded_in_fewer_than_one_of_a_hundred():
    """Pristine particles: an interval of 95 % leaves out x = 1 above in one of forty."""
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(200):
        found = claims_of(28_000.0, cell=with_contents(100, rng.binomial(100, 0.025)))
        wrong += any(claim.verdict == "less_lithium" for claim in found.values())
    assert wrong <= 2


def test_cores_that_got_darker_have_another_cause_than_lithium():
    cell = stub("A-100", lithium_um=20.0)
    rng = np.random.default_rng(3)
    attached = {"attached": True, "particle": range(100), "volume_um3": 1000.0}
    cell.tables["particles"] = pd.DataFrame({"core_grey": rng.normal(37_000, 300, 100), **attached})
    cell.numbers["glare_at_most"] = number(0.012)
    fresh = stub("A-0", lithium_um=40.0)
    fresh.tables["particles"] = pd.DataFrame(
        {"core_grey": rng.normal(38_000, 300, 100), **attached}
    )
    cell.pristine = fresh
    found = grey_claims([grey(fresh, 28_000.0, 0.0), grey(cell, 28_000.0, 0.0)])
    [claim] = [c for c in found if c.what.startswith("cores")]
    assert claim.verdict == "other_cause"
    assert "glare: up to 1.2% of the light" in claim.flags
    assert set(claims_table(found)["verdict"]) >= {"other_cause", "no_change"}


def test_where_nothing_is_known_of_charge_or_energy_nothing_is_claimed_of_lithium():
    cell = with_contents(0, 0)
    cell.energy_kev = None
    cell.tables["charge"]["void_fraction"] = np.nan
    found = claims_of(28_400.0, cell=cell)
    assert np.isnan(found["C-1"].possible[1])
    assert found["C-1"].verdict == "possible"
    [claim] = [c for c in found.values() if c.what.startswith("particles whose")]
    assert claim.verdict == "undecided"
    del cell.tables["charge"]["li_content_high"]
    left = claims_of(28_400.0, cell=cell)
    assert not any(claim.what.startswith("particles whose") for claim in left.values())


def test_the_report_joins_numbers_with_what_lithium_could_make_and_names_other_causes():
    found = list(claims_of(27_600.0).values())
    part = claims_part({"grey_claims": claims_table(found)})
    shown = part.tables["grey_claims"][0].set_index("claim").loc["C-1: mean grey value"]
    assert shown["change"] == "−400 (−541 … −259) grey values"
    assert shown["by lithium content alone"] == f"0 … {FRACTION * FULL:.0f}"
    assert "another cause" in shown["meaning"]


def row(cell, key, value, half, **more):
    return Row(cell, key, "", value, value - half, value + half, **more)


def pair(cycled_rows):
    fresh = stub("A-0", lithium_um=40.0, cycles=0)
    cell = stub("A-100", lithium_um=20.0, pristine=fresh)
    before = {"thickness_um.lithium": 40.0, "absent_area_fraction": 0.0, "drifted_per_mm2": 0.0,
              "inclusions_per_mm3": 0.0, "thickness_um.electrolyte": 130.0}  # fmt: skip
    rows = [row(fresh, key, value, 0.1) for key, value in before.items()]
    rows += [row(cell, key, value, half) for key, (value, half) in cycled_rows.items()]
    return [fresh, cell], rows


def supports(cycled_rows, together=()):
    cells, rows = pair(cycled_rows)
    return {c.text: c for c in conclusions(cells, rows, [], together)}


def test_layers_support_contradict_or_do_not_show():
    found = supports(
        {
            "thickness_um.lithium": (30.0, 1.0),
            "thickness_um.electrolyte": (125.0, 1.0),
            "drifted_per_mm2": (5.0, 10.0),
            "absent_area_fraction": (0.0, 0.0),
            "inclusions_per_mm3": (100.0, 20.0),
        }
    )
    assert found["Lithium was consumed (its layer is thinner)"].support == "supported"
    assert found["The electrolyte is thicker"].support == "contradicted"
    assert found["Particles of the cathode drifted into the electrolyte"].support == "not shown"
    gone = found["Lithium is gone in places"]
    assert gone.support == "cannot be told"  # a void looks like lithium
    assert "would look like lithium" in gone.because
    assert found["The inclusions in the electrolyte are lithium"].support == "cannot be told"
    assert found["Lithium was consumed unevenly (its face is rougher)"].support == "not measured"


def test_a_drift_alone_supports_drift_and_nothing_of_lithium_contents():
    found = supports({"drifted_per_mm2": (40.0, 10.0), "thickness_um.lithium": (40.0, 0.1)})
    assert found["Particles of the cathode drifted into the electrolyte"].support == "supported"
    assert found["Lithium was consumed (its layer is thinner)"].support == "not shown"
    assert found["The particles of the cathode hold less lithium"].support == "not measured"


@pytest.mark.parametrize(
    ("verdict", "support"),
    [
        ("together", "supported"), ("opposed", "contradicted"), ("not_seen", "not shown"),
        ("too_small", "cannot be told"),
    ],
)  # fmt: skip
def test_that_both_layers_belong_together_is_said_as_it_was_found(verdict, support):
    one = SimpleNamespace(
        cell=SimpleNamespace(name="A-100"), found=SimpleNamespace(verdict=verdict), reason="",
        answer=lambda: "p",
    )  # fmt: skip
    found = supports({}, [one])
    assert found["The cathode is damaged where lithium is lost"].support == support


def test_groups_are_compared_after_as_many_cycles():
    first, rows = pair({"thickness_um.lithium": (20.0, 1.0)})
    second, more = pair({"thickness_um.lithium": (34.0, 1.0)})
    for cell in second:
        cell.name, cell.group = cell.name.replace("A", "B"), "B"
    found = conclusions([*first, *second], [*rows, *more], [], [])
    [said] = [each for each in found if each.about == "A-100, B-100"]
    assert said.text == "Lithium thickness changed more in A-100 than in B-100"
    assert said.support == "supported"
    assert any("These data support" in text for text in in_words(found, "A-100"))
    assert list(conclusions_table(found)) == ["about", "conclusion", "support", "because"]


def test_the_verdicts_of_all_cells_stand_side_by_side_and_those_of_pairs_do_not():
    fresh = stub("A-0", lithium_um=40.0)
    one, other = (
        stub(name, lithium_um=20.0, pristine=fresh) for name in ("conclusion", "A-100")
    )  # a cell may be called like the first column
    found = [
        Conclusion("conclusion", "Lithium was consumed", "supported", "−20 µm"),
        Conclusion("A-100", "Lithium was consumed", "contradicted", "+3 µm"),
        Conclusion("A-100", "Particles drifted", "cannot be told", "one in each"),
        Conclusion("A-100, conclusion", "More drifted in one", "not shown", "both alike"),
    ]
    table = conclusions_by_cell(found, [fresh, one, other])
    assert list(table.columns) == ["conclusion", "conclusion", "A-100"]
    assert table.to_numpy().tolist() == [
        ["Lithium was consumed", "supported", "contradicted"],
        ["Particles drifted", "–", "cannot be told"],
    ]
    assert len(conclusions_by_cell([], [fresh])) == 0
