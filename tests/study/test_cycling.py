"""Cycling and the balance of lithium: what passes is drawn, so what must be found is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.study.cycles import draw_cycles, write_csv
from tests.study.drawn import draw_cell_result
from tests.study.stubs import AREA_CM2, stub
from xct.errors import XctError
from xct.io.cyclers import CyclerRecords
from xct.io.cyclers.records import integrated
from xct.io.tables import write_table
from xct.physics.lithium import metal_mah, ncm811_mah_per_um3
from xct.study.cells import open_cells
from xct.study.cycling.balance import balance_figure, balance_table, balances
from xct.study.cycling.half_cycles import cycles_table, half_cycles, net_charge_mah
from xct.study.cycling.measured import cycling_table, read_cyclers, shown_halves
from xct.study.settings import load_study

COLUMNS = {"time_s": "t", "voltage_v": "U", "current_ma": "I"}
NCM_MAH = 1e5 * ncm811_mah_per_um3()


def records_of(drawn):
    time, voltage, current = drawn
    return CyclerRecords(time, voltage, current, integrated(time, current), "drawn")


def test_cycles_begin_with_a_charge_and_rests_belong_to_none():
    halves = half_cycles(records_of(draw_cycles([0.010, 0.009, 0.009], [0.008, 0.007])))
    table = cycles_table(halves)
    assert list(table["cycle"]) == [1, 2, 3]
    np.testing.assert_allclose(table["charge_mah"], [0.010, 0.009, 0.009], rtol=1e-3)
    np.testing.assert_allclose(table["efficiency"][:2], [0.8, 7 / 9], rtol=1e-3)
    np.testing.assert_allclose(table["retention"][:2], [1, 7 / 8], rtol=1e-3)
    assert np.isnan(table["discharge_mah"][2])


def test_a_pulse_is_no_half_cycle_and_a_discharge_before_the_first_charge_is_cycle_0():
    time, voltage, current = draw_cycles([0.010, 0.010], [0.009, 0.009])
    pulse = slice(20, 22)
    current[pulse] = -current[pulse]  # within the first charge
    found = half_cycles(records_of((time, voltage, current)))
    assert [half.is_charge for half in found] == [True, False, True, False]
    begun = np.searchsorted(time, time[current < 0][5])
    halves = half_cycles(records_of((time[begun:], voltage[begun:], current[begun:])))
    assert [half.cycle for half in halves][:2] == [0, 1]


def test_the_net_charge_is_as_uncertain_as_charge_is_against_discharge():
    time, voltage, current = draw_cycles([0.010] * 20, [0.0099] * 20)
    true = 20 * 0.0001
    rng = np.random.default_rng(0)
    z = []
    for error in rng.normal(0, 0.001, 200):
        seen = np.where(current < 0, current * (1 + error), current)
        records = records_of((time, voltage, seen))
        net = net_charge_mah(records, half_cycles(records), 0.001)
        z.append((net.value - true) / net.sd)
    assert 0.85 < np.std(z) < 1.15


def study_of(folder, **cycler):
    cells = [
        {"result": str(folder / "fresh")},
        {"result": str(folder / "cycled"), "cycler": {"columns": COLUMNS, **cycler}},
    ]
    (folder / "study.yaml").write_text(yaml.safe_dump({"study": {"cells": cells}}), "utf-8")
    return load_study(folder / "study.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two drawn results, the cathode of which holds 0.1 mAh."""
    made = tmp_path_factory.mktemp("cells")
    draw_cell_result(made / "fresh", name="A-0")
    draw_cell_result(made / "cycled", name="A-100", cycles=3, lithium_um=20.0)
    volume = 0.1 / ncm811_mah_per_um3()
    materials = pd.DataFrame(
        {"material": ["active_material"], "volume_um3": [volume], "volume_um3_sd": [volume / 50]}
    )
    write_table(made / "cycled" / "tables" / "materials.csv", materials)
    write_csv(made / "good.csv", draw_cycles([0.08, 0.08, 0.08], [0.07, 0.07, 0.07]))
    return made


def test_a_cycler_file_stands_in_the_study_and_its_cycles_in_the_table(folder):
    study = study_of(folder, file="good.csv")
    cells, _ = open_cells(study)
    [one], warnings = read_cyclers(study, cells)
    assert warnings == []
    table = cycling_table([one]).set_index("cycle")
    assert table.loc[2, "discharge_mah_per_cm2"] == pytest.approx(0.07 / AREA_CM2, rel=1e-3)
    assert "Cycled 3 times (columns of the study)" in one.answer()
    assert {half.cycle for half in shown_halves(one)} == {1, 2, 3}


@pytest.mark.parametrize(
    ("charges", "said"),
    [
        ([0.08] * 12, r"holds 12 discharges, but A-100 has 3 cycles"),
        ([0.5] * 3, r"passes 0.5 mAh at once, but the cathode in this bore holds 0.1 ± 0.002 mAh"),
    ],
)
def test_a_cycler_file_of_another_cell_is_refused_with_its_line(folder, charges, said):
    write_csv(folder / "other.csv", draw_cycles(charges, charges))
    study = study_of(folder, file="other.csv")
    with pytest.raises(XctError, match=rf"study.yaml:\d+: A-100: other.csv: {said}"):
        read_cyclers(study, open_cells(study)[0])


def test_a_unit_that_is_a_thousand_off_is_said(folder):
    write_csv(folder / "tiny.csv", draw_cycles([8e-5] * 3, [7e-5] * 3))
    study = study_of(folder, file="tiny.csv")
    _, [said] = read_cyclers(study, open_cells(study)[0])
    assert "0.08% of what the cathode holds: is it of this cell" in said


def test_one_file_for_two_cells_and_a_missing_one_are_refused(folder):
    cells = [
        {"result": str(folder / name), "cycles": 3, "pristine": name == "fresh",
         "cycler": {"file": str(folder / "good.csv"), "columns": COLUMNS}}
        for name in ("fresh", "cycled")
    ]  # fmt: skip
    study = load_study({"study": {"cells": cells}})
    with pytest.raises(XctError, match="A-100 and A-0 name cycler files with the same content"):
        read_cyclers(study, open_cells(study)[0])
    study = study_of(folder, file="god.csv")
    with pytest.raises(XctError, match=r"no such cycler file \(did you mean good.csv\?\)"):
        read_cyclers(study, open_cells(study)[0])


def test_own_columns_need_one_time_and_one_current(folder):
    with pytest.raises(XctError, match="name either current_ma or current_a"):
        study_of(folder, file="good.csv", columns={"time_s": "t", "voltage_v": "U"})


def cycled(cell, net, throughput=1e-3):
    """Give what a cycler says of a cell: its net charge."""
    return SimpleNamespace(
        cell=cell, net=SimpleNamespace(value=net, sd=0.001 * throughput / 2, throughput=throughput)
    )


def metal_um(um):
    return metal_mah(um * AREA_CM2 * 1e8)


def test_each_term_of_the_balance_is_what_was_drawn():
    """Lost 20 µm of lithium; the cathode lacks half of its own; 1,000 µm³ in inclusions."""
    fresh = stub("A-0", lithium_um=40.0)
    cell = stub("A-100", lithium_um=20.0, inclusions_um3=1000.0, contents=(0.5, 0.3, 0.7),
                pristine=fresh)  # fmt: skip
    [one] = balances([fresh, cell], [])
    terms = one.terms
    assert terms["lost_at_anode"].value == pytest.approx(metal_um(20.0))
    half = 1.96 * np.hypot(0.1, 0.1)
    assert terms["lost_at_anode"].low == pytest.approx(metal_um(20.0 - half), rel=1e-3)
    assert terms["missing_in_cathode"].value == pytest.approx(NCM_MAH * 0.5 / 0.95)
    low, high = NCM_MAH * 0.9804 * 0.3 / 0.97, NCM_MAH * 1.0196 * 0.7 / 0.93
    assert (terms["missing_in_cathode"].low, terms["missing_in_cathode"].high) == pytest.approx(
        (low, high), rel=1e-3
    )
    assert (terms["in_inclusions"].low, terms["in_inclusions"].high) == (0, metal_mah(1000.0))
    rest = terms["unaccounted"]
    assert rest.low == pytest.approx(terms["lost_at_anode"].low + low - metal_mah(1000.0), rel=1e-3)
    assert "how differently two anodes were built is in no interval" in one.answer()[-1]
    assert "this much lithium reacted" in one.answer()[1]
    assert (terms["lost_at_anode"].bound, rest.bound) == ("lower", "lower")  # voids on the steel
    assert one.answer()[0].count("more if voids were taken for lithium") == 2
    cell.numbers["thickness_um.lithium"]["bound"] = ""
    [sure] = balances([fresh, cell], [])
    assert "more if voids" not in sure.answer()[0]
    table = balance_table([one]).set_index("term")
    assert len(table) == 4
    assert "the cathode by grey values" in table.loc["not accounted for", "note"]  # no cycler
    assert balance_figure([one]) is not None


def test_the_cyclers_charge_closes_the_balance_or_contradicts_the_grey_values():
    """All that the anode lost came from the cathode: nothing reacted."""
    fresh = stub("A-0", lithium_um=40.0)
    net = -metal_um(5.0)  # more was discharged than charged: the cathode holds more than it had
    cell = stub("A-100", lithium_um=35.0, contents=(1.0, 0.9, 1.0), pristine=fresh)
    [one] = balances([fresh, cell], [cycled(cell, net)])
    assert "closes within its uncertainty" in one.answer()[1]
    cell = stub("A-100", lithium_um=35.0, contents=(0.2, 0.1, 0.3), pristine=fresh)
    [one] = balances([fresh, cell], [cycled(cell, net)])
    assert one.cathode_agrees is False
    assert any("contradict each other" in text for text in one.answer())
    cell = stub("A-100", lithium_um=45.0, contents=(1.0, 0.9, 1.0), pristine=fresh)
    [one] = balances([fresh, cell], [cycled(cell, 0.0, throughput=1e-6)])
    assert any("more lithium is found than was lost" in text for text in one.answer())


def test_pristine_cells_say_how_differently_anodes_are_built():
    first, second = stub("A-0", lithium_um=40.0), stub("B-0", lithium_um=44.0)
    cell = stub("A-100", lithium_um=20.0, pristine=first)
    [one] = balances([first, second, cell], [])
    half = 1.96 * np.hypot(np.hypot(0.1, 0.1), np.sqrt(2) * np.std([40, 44], ddof=1))
    lost = one.terms["lost_at_anode"]
    assert lost.value - lost.low == pytest.approx(metal_um(half), rel=1e-3)


def test_what_grey_values_do_not_decide_is_anything_from_0_to_1():
    fresh = stub("A-0", lithium_um=40.0)
    nan = np.full(100, np.nan)
    nan[:20] = 0.5
    cell = stub("A-100", lithium_um=20.0, contents=(nan, nan - 0.1, nan + 0.1), pristine=fresh)
    [one] = balances([fresh, cell], [])
    term = one.terms["missing_in_cathode"]
    assert np.isnan(term.value)
    x_low, x_high = 0.2 * 0.4, 0.2 * 0.6 + 0.8
    assert term.high == pytest.approx(
        NCM_MAH * 1.0196 * (1 - x_low) / (1 - 0.1 * (1 - x_low)), rel=1e-3
    )
    assert term.low == pytest.approx(
        NCM_MAH * 0.9804 * (1 - x_high) / (1 - 0.1 * (1 - x_high)), rel=1e-3
    )
    assert "grey values decide for 20%" in term.note


def test_the_interval_of_what_the_anode_lost_holds_the_truth_in_19_of_20():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        before, after = 40 + rng.normal(0, 0.2), 33 + rng.normal(0, 0.3)
        fresh = stub("A-0", lithium_um=before, sd=0.2)
        cell = stub("A-100", lithium_um=after, sd=0.3, pristine=fresh)
        lost = balances([fresh, cell], [])[0].terms["lost_at_anode"]
        held += lost.low <= metal_um(7.0) <= lost.high
    assert 0.92 < held / 300 < 0.975


def test_without_a_layer_or_a_cathode_in_view_the_balance_says_what_is_not_known():
    fresh = stub("A-0", lithium_um=40.0)
    cell = stub("A-100", lithium_um=20.0, pristine=fresh)
    del cell.numbers["thickness_um.lithium"]
    cell.surfaces = {}
    [one] = balances([fresh, cell], [])
    assert set(one.terms) == {"in_inclusions"}
    assert "the lithium of the anode is not known" in one.answer()[-1]
    assert "it is not wholly in view" in one.answer()[-1]


def test_a_mistake_in_a_mapping_is_named_with_its_key_as_in_a_file(folder):
    cells = [{"result": "a", "cycler": {"file": 5}}, {"result": 7}]
    with pytest.raises(XctError) as error:
        load_study({"study": {"cells": cells}})
    assert [text.split(": ")[1] for text in error.value.errors] == [
        "study.cells.0.cycler.file", "study.cells.1.result",
    ]  # fmt: skip
