"""A score finds exactly the errors that were put in."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import zarr
from scipy.ndimage import maximum_filter

from xct.errors import XctError
from xct.geometry import Label
from xct.io.surfaces import read_surfaces, write_surfaces
from xct.io.tables import read_table, write_table
from xct.io.volumes import Coding, create_volume, write_slab
from xct.phantom.truth.tables import tables_of
from xct.score import comparison, score, score_text
from xct.score.grey import GreyScore
from xct.score.metric import Slab, interior
from xct.score.particles import _drifted
from xct.score.surfaces import score_surfaces

WIDE = 10.0  # µm: five voxels


def edit_table(folder, name, change):
    path = folder / "tables" / f"{name}.csv"
    write_table(path, change(read_table(path)))


def edit_labels(folder, name, change):
    array = zarr.open_group(folder / "volume.zarr" / "labels" / name, mode="r+")["0"]
    array[:] = change(np.asarray(array[:]))


def volume_only(truth, folder, change, coding=None):
    """A result that holds nothing but a volume."""
    coding = coding or Coding()
    mu = change(np.asarray(zarr.open_group(truth / "volume.zarr", mode="r")["0"][:]))
    create_volume(folder / "volume.zarr", mu.shape, 2.0, coding, "changed")
    write_slab(folder / "volume.zarr", 0, coding.encode(mu, np.ones(mu.shape[1:], bool))[0])
    (folder / "summary.json").write_text(json.dumps({"warnings": []}), "utf-8")
    return folder


def test_the_truth_has_no_error(truth):
    found = score(truth, truth)
    for name, entry in found.items():
        right = name.startswith(("dice", "surface_found", "coverage", "anode_side")) or name in (
            "particle_recall", "particle_precision", "drifted_recall", "drifted_f1",
            "inclusion_recall", "inclusion_precision", "bounds_hold",
        ) or name.startswith("inclusion_recall.")  # fmt: skip
        assert entry["value"] == pytest.approx(float(right), abs=1e-6), name
        assert set(entry) == {"value", "unit", "n"}
    expected = {
        "dice.lithium", "dice.low_grey", "dice.absent_area", "surface_rmse_um.lithium_electrolyte",
        "surface_bias_um.electrolyte_cathode", "center_error_px", "thickness_error_um.lithium",
        "absent_area_error", "roughness_error.Sq_um.steel_lithium", "mu_rmse_per_cm.steel",
        "particle_diameter_bias_percent", "drifted_false", "inclusion_recall.thick",
    }  # fmt: skip
    assert expected <= set(found)


def test_where_there_is_only_a_volume_it_is_scored(truth, tmp_path):
    folder = volume_only(truth, tmp_path, lambda mu: mu + np.float32(0.5))
    found = score(folder, truth)
    assert {name.split(".")[0] for name in found} == {
        "mu_bias_per_cm", "mu_rmse_per_cm", "mu_bias_percent"
    }  # fmt: skip
    assert found["mu_bias_per_cm.electrolyte"]["value"] == pytest.approx(0.5, abs=1e-4)
    assert found["mu_rmse_per_cm.steel"]["value"] == pytest.approx(0.5, abs=1e-3)
    percent = found["mu_bias_percent.steel"]["value"]
    assert percent == pytest.approx(100 * 0.5 / 113.96, rel=1e-3)


def test_codes_without_value_are_left_out(truth, tmp_path):
    def cut(mu):
        return np.where(np.arange(112) < 56, mu, 0)

    coding = Coding.for_range(-1.0, 120.0)
    coded = volume_only(truth, tmp_path / "coded", cut, coding)
    shape = (96, 112, 112)
    array = zarr.open_group(coded / "volume.zarr", mode="r+")["0"]
    array[:] = np.where(np.broadcast_to(np.arange(112) < 56, shape), array[:], 0)
    found = score(coded, truth)
    assert abs(found["mu_bias_per_cm.steel"]["value"]) < 2e-3
    whole = score(truth, truth)
    assert found["mu_bias_per_cm.steel"]["n"] < 0.6 * whole["mu_bias_per_cm.steel"]["n"]


def test_dice_is_twice_what_is_shared_over_both(result, truth):
    wrong = {}

    def spoil(labels):
        y, x = np.nonzero(labels[20] == Label.ELECTROLYTE)
        wrong["n"] = (labels == Label.ELECTROLYTE).sum()
        labels[20, y[:100], x[:100]] = Label.LITHIUM
        wrong["li"] = (labels == Label.LITHIUM).sum() - 100
        return labels

    edit_labels(result, "materials", spoil)
    found = score(result, truth)
    n, li = int(wrong["n"]), int(wrong["li"])
    assert found["dice.electrolyte"]["value"] == pytest.approx(2 * (n - 100) / (2 * n - 100))
    assert found["dice.lithium"]["value"] == pytest.approx(2 * li / (2 * li + 100))
    assert found["dice.steel"]["value"] == 1


def test_a_surface_that_is_too_high_has_that_bias_and_its_coverage(result, truth):
    surfaces = read_surfaces(result / "surfaces.zarr")
    one = surfaces["electrolyte_cathode"]
    sd = np.where(np.arange(112)[:, None] < 56, 0.5, 2.0) + 0 * one.sd_um
    surfaces["electrolyte_cathode"] = replace(one, height_um=one.height_um + 3, sd_um=sd)
    write_surfaces(result / "surfaces.zarr", surfaces, (2.0, 2.0, 2.0))
    found = score(result, truth)
    assert found["surface_bias_um.electrolyte_cathode"]["value"] == pytest.approx(3, abs=1e-5)
    assert found["surface_rmse_um.electrolyte_cathode"]["value"] == pytest.approx(3, abs=1e-5)
    assert found["coverage_95.surface.electrolyte_cathode"]["value"] == pytest.approx(0.5, abs=0.03)
    assert found["surface_rmse_um.steel_lithium"]["value"] == 0
    lithium_sd = np.nanmedian(surfaces["lithium_electrolyte"].sd_um)
    faces = (surfaces[name].height_um for name in ("electrolyte_cathode", "lithium_electrolyte"))
    thick = float(np.nanmean(np.subtract(*faces)))
    sd = np.median(sd[np.isfinite(sd)])
    least = found["dice_at_least.separator"]["value"]
    assert least == pytest.approx(1 - (sd + lithium_sd) / abs(thick), abs=0.002)


def test_a_collector_found_by_its_particles_is_compared_with_them(result, truth):
    from xct.result import open_result

    surfaces = read_surfaces(result / "surfaces.zarr")
    surfaces["cathode_collector"] = surfaces["cathode_collector_half_fraction"]
    write_surfaces(result / "surfaces.zarr", surfaces, (2.0, 2.0, 2.0))
    found = score_surfaces(open_result(result), open_result(truth))
    assert found["surface_rmse_um.cathode_collector"]["value"] == 0


def test_lithium_that_was_not_found_is_absent_area(result, truth):
    surfaces = read_surfaces(result / "surfaces.zarr")
    one = surfaces["lithium_electrolyte"]
    gone, inside = np.isnan(one.height_um), np.isfinite(one.sd_um)
    more = gone | (np.arange(112) < 50)
    surfaces["lithium_electrolyte"] = replace(
        one, height_um=np.where(more, np.nan, one.height_um).astype(np.float32)
    )
    write_surfaces(result / "surfaces.zarr", surfaces, (2.0, 2.0, 2.0))
    found = score(result, truth)
    wrong = (more & inside).sum() - (gone & inside).sum()
    assert found["absent_area_error"]["value"] == pytest.approx(wrong / inside.sum())
    both = 2 * (gone & inside).sum() / ((more & inside).sum() + (gone & inside).sum())
    assert found["dice.absent_area"]["value"] == pytest.approx(both)
    there = inside & ~gone
    fraction = 1 - (there & more).sum() / there.sum()
    assert found["surface_found.lithium_electrolyte"]["value"] == pytest.approx(fraction)


def test_lost_and_invented_particles(result, truth):
    table = read_table(truth / "tables" / "particles.csv")
    wide = table[(table.equivalent_diameter_um > WIDE) & ~table.drifted]
    lost = wide.particle.to_numpy()[:10]

    def lose(numbers):
        numbers[np.isin(numbers, lost)] = 0
        numbers[2:8, 50:56, 50:56] = 60_000  # in the steel
        return numbers

    edit_labels(result, "particles", lose)
    invented = pd.DataFrame(
        {"particle": [60_000], "equivalent_diameter_um": [15.0], "drifted": [True]}
    )
    edit_table(result, "particles", lambda t: pd.concat([t[~t.particle.isin(lost)], invented]))
    found = score(result, truth)
    count = (table.equivalent_diameter_um > WIDE).sum()
    assert found["particle_recall"]["value"] == pytest.approx(1 - 10 / count)
    assert found["particle_precision"]["value"] == pytest.approx(1 - 1 / (count - 9))
    assert found["drifted_false"]["value"] == 1
    assert found["drifted_recall"]["value"] == 1
    drifted = table.drifted.sum()
    assert found["drifted_f1"]["value"] == pytest.approx(2 * drifted / (2 * drifted + 1))


def test_drifted_particles_smaller_than_what_is_found_are_neither_missed_nor_false():
    true = pd.DataFrame({"particle": [1, 2, 3], "equivalent_diameter_um": [3.0, 3.5, 9.0],
                         "drifted": True})  # fmt: skip
    mine = pd.DataFrame({"particle": [7, 8], "drifted": True})
    pairs = pd.DataFrame({"true": [2, 3], "mine": [7, 8]})
    all_of_them, above = (_drifted(true, mine, pairs, least) for least in (0.0, 4.0))
    assert all_of_them["drifted_recall"]["value"] == pytest.approx(2 / 3)
    assert above["drifted_recall"]["value"] == above["drifted_f1"]["value"] == 1
    assert above["drifted_false"] == {"value": 0, "unit": "particles", "n": 1}


def test_sizes_and_their_stated_uncertainty(result, truth):
    def larger(table):
        table["equivalent_diameter_um"] *= 1.1
        # Right for half of them, much too sure for the others.
        table["equivalent_diameter_um_sd"] = np.where(table.index % 2, 2.0, 0.01)
        return table

    edit_table(result, "particles", larger)
    found = score(result, truth)
    assert found["particle_diameter_bias_percent"]["value"] == pytest.approx(10, abs=1e-4)
    coverage = found["coverage_95.particle_equivalent_diameter_um"]
    assert coverage["value"] == pytest.approx(0.5, abs=0.15)


def test_without_labels_particles_are_matched_by_their_centers(result, truth):
    shutil.rmtree(result / "volume.zarr" / "labels" / "particles")
    edit_table(result, "particles", lambda t: t.assign(z_um=t.z_um + 1.0).iloc[5:])
    found = score(result, truth)
    table = read_table(truth / "tables" / "particles.csv")
    wide = table.equivalent_diameter_um > WIDE
    assert found["particle_recall"]["value"] == pytest.approx(1 - wide[:5].sum() / wide.sum())


def test_an_inclusion_that_was_taken_for_electrolyte_is_not_recalled(result, truth, cell):
    table = tables_of(cell)["inclusions"]
    thick = table[table.thickness_um > 4.0]
    gone = thick.inclusion.iloc[0]
    inside = cell.slab(0, 96).inclusions == gone
    edit_labels(result, "materials", lambda m: np.where(inside, Label.ELECTROLYTE, m))
    edit_table(
        result, "inclusions", lambda t: t.assign(z_um=np.where(t.inclusion == gone, 4.0, t.z_um))
    )
    found = score(result, truth)
    assert found["inclusion_recall"]["n"] == len(thick)
    assert found["inclusion_recall"]["value"] == pytest.approx(1 - 1 / len(thick))
    assert found["inclusion_false"]["value"] == 1  # what was said to lie in the steel
    assert found["inclusion_precision"]["value"] == pytest.approx(1 - 1 / len(table))


def test_inclusions_at_random_places_have_no_precision(result, truth, cell):
    geometry, rng = cell.geometry, np.random.default_rng(1)
    low, high = (
        geometry.planes[name].height_um for name in ("lithium_electrolyte", "electrolyte_cathode")
    )
    edit_table(
        result,
        "inclusions",
        lambda t: pd.concat([t] * 20, ignore_index=True).assign(
            z_um=lambda t: rng.uniform(low, high, len(t)),
            y_um=lambda t: geometry.axis_y_um + rng.uniform(-30, 30, len(t)),
            x_um=lambda t: geometry.axis_x_um + rng.uniform(-30, 30, len(t)),
        ),
    )
    found = score(result, truth)["inclusion_precision"]
    assert found["n"] > 50
    assert found["value"] < 0.25


def test_lithium_that_stands_out_of_its_face_has_no_part_in_the_precision(result, truth):
    before = score(result, truth)["inclusion_precision"]
    labels = zarr.open_group(truth / "volume.zarr" / "labels", mode="r")
    chips = maximum_filter(labels["inclusions/0"][:] > 0, 7)
    clear = np.argwhere((labels["materials/0"][:] == Label.LITHIUM) & ~chips)
    place = dict(zip(("z_um", "y_um", "x_um"), 2.0 * clear[0], strict=True))
    for name, n in (("at_lithium", before["n"]), ("enclosed", before["n"] + 1)):
        more = {"class": name, "filament": False, **place}
        edit_table(
            result,
            "inclusions",
            lambda t, more=more: pd.concat(
                [t.iloc[: before["n"]], t.iloc[:1].assign(**more)], ignore_index=True
            ),
        )
        assert score(result, truth)["inclusion_precision"]["n"] == n


def test_what_lies_at_the_front_has_no_part_in_the_precision(result, truth):
    away = {"class": "at_front", "z_um": 4.0}
    before = score(result, truth)["inclusion_precision"]
    edit_table(
        result, "inclusions", lambda t: pd.concat([t, t.iloc[:2].assign(**away)], ignore_index=True)
    )
    assert score(result, truth)["inclusion_precision"] == before


def test_numbers_and_their_stated_uncertainty(result, truth, change_summary):
    change_summary(
        result,
        center_px={"value": 55.8, "sd": 0.1, "unit": "px"},
        electrolyte_peak_per_cm={"value": 5.2447 + 0.01, "sd": 0.5, "unit": "1/cm"},
        inclusions={"value": 90, "sd": 0.1, "unit": "inclusions", "bound": "upper"},
    )
    edit_table(result, "layers", lambda t: t.assign(mean_thickness_um=t.mean_thickness_um + 2))
    edit_table(result, "surfaces", lambda t: t.assign(Sq_um=t.Sq_um * 2))
    found = score(result, truth)
    assert found["center_error_px"]["value"] == pytest.approx(0.3)
    assert found["center_error_sd"]["value"] == pytest.approx(3)
    assert found["coverage_95.numbers"] == {"value": 0.5, "unit": "1", "n": 2}
    assert found["coverage_95.numbers.summary"] == found["coverage_95.numbers"]
    assert found["thickness_error_um.cathode"]["value"] == pytest.approx(2, abs=1e-4)
    assert found["roughness_error.Sq_um.steel_lithium"]["value"] == pytest.approx(0.5, abs=0.01)


def test_other_voxels_are_refused(result, truth):
    shutil.rmtree(result / "volume.zarr")
    create_volume(result / "volume.zarr", (48, 56, 56), 4.0, Coding(), "binned")
    with pytest.raises(XctError, match=r"\(48, 56, 56\) voxels of .* without bin and roi"):
        score(result, truth)


def test_a_folder_without_result_is_refused(truth, tmp_path):
    with pytest.raises(XctError, match="holds no result"):
        score(tmp_path, truth)


def test_the_height_of_slabs_does_not_change_the_score(result, truth, monkeypatch):
    edit_labels(result, "materials", lambda m: np.roll(m, 1, axis=0))
    edit_labels(result, "particles", lambda m: np.roll(m, 1, axis=0))
    whole = score(result, truth)
    cut = comparison.slabs
    monkeypatch.setattr(comparison, "slabs", lambda shape, overlap: cut(shape, overlap, rows=7))
    by_slabs = score(result, truth)
    assert list(whole) == list(by_slabs)
    for name, entry in whole.items():
        assert by_slabs[name]["value"] == pytest.approx(entry["value"], abs=1e-9), name
        assert by_slabs[name]["n"] == entry["n"], name


def test_an_interior_voxel_has_two_of_its_kind_all_around():
    kinds = np.zeros((9, 9, 9), np.uint8)
    kinds[4:] = 1
    expected = np.ones(9, bool)
    expected[2:6] = False
    np.testing.assert_array_equal(interior(kinds, 2)[:, 4, 4], expected)


def test_grey_values_are_compared_with_those_without_error(cell):
    geometry = cell.geometry
    electrolyte = cell.electrolyte_per_cm(np.arange(96) * 2.0)
    slab = cell.slab(0, 96)
    true = 20_000 + 2_100 * slab.mu / electrolyte[:, None, None]
    # Ten grey values too high everywhere, forty in the half of the bore at small z.
    measured = true + np.where(np.arange(96) < 40, 40, 10)[:, None, None]
    some = GreyScore(measured, electrolyte, geometry, np.arange(5.0))
    inside = interior(slab.labels, 2)
    some.add(Slab(0, slab.mu, slab.mu, {}, {"materials": slab.labels}, inside))
    found = some.metrics()
    assert found["grey_bias.electrolyte.band_1"]["value"] == pytest.approx(40, abs=0.1)
    assert found["grey_bias.electrolyte.band_5"]["value"] == pytest.approx(10, abs=0.1)
    assert found["grey_sd.electrolyte.band_5"]["value"] == 4
    assert 0.2 < found["grey_flatness.electrolyte"]["value"] < 100 * 15 / 2100 + 0.1
    assert found["mu_flatness.electrolyte"]["value"] == 0


def test_the_table_for_the_terminal_names_unit_and_n():
    lines = score_text({"center_error_px": {"value": 0.12345, "unit": "px", "n": 1}}).splitlines()
    assert lines[0].split() == ["metric", "value", "unit", "n"]
    assert lines[1].split() == ["center_error_px", "0.1235", "px", "1"]
    assert score_text({}) == "nothing to compare: result and truth have no data in common"


def test_no_number_counts_twice_and_the_tube_not_at_all(result, truth, change_summary):
    change_summary(result, **{"thickness_um.cathode": {"value": 1.0, "sd": 0.1, "unit": "µm"}})
    edit_table(result, "layers", lambda t: t.assign(mean_thickness_um_sd=1.0))
    # Beyond the bore, where the truth does not count it, there is much more of the tube.
    edit_table(result, "materials", lambda t: t.assign(
        volume_um3=t.volume_um3 * np.where(t.material == "tube", 100, 1), volume_um3_sd=1.0
    ))  # fmt: skip
    found = score(result, truth)
    kinds = len(read_table(truth / "tables" / "materials.csv"))
    assert found["coverage_95.numbers.layers"] == {"value": 1.0, "unit": "1", "n": 3}
    assert found["coverage_95.numbers.materials"] == {"value": 1.0, "unit": "1", "n": kinds - 1}
    assert "coverage_95.numbers.summary" not in found


def test_numbers_that_a_run_measures_and_does_not_give_are_counted(result, truth):
    assert score(result, truth)["numbers_withheld"]["value"] == 0
    path = result / "summary.json"
    summary = json.loads(path.read_text("utf-8"))
    for name in ("thickness_um.cathode", "absent_area_fraction"):
        del summary[name]
    path.write_text(json.dumps(summary), "utf-8")
    found = score(result, truth)["numbers_withheld"]
    assert found["value"] == 2
    assert found["n"] > 10


def test_missed_particles_count_in_the_class_of_their_size(result, truth):
    table = read_table(truth / "tables" / "particles.csv")
    wide = table[(table.equivalent_diameter_um >= 10) & (table.equivalent_diameter_um < 16)]
    gone = wide.particle.iloc[:3].to_numpy()
    edit_labels(result, "particles", lambda numbers: np.where(np.isin(numbers, gone), 0, numbers))
    found = score(result, truth)
    assert found["particle_missed.5_to_8"]["value"] == pytest.approx(3 / len(wide))
    assert found["particle_missed.over_8"]["value"] == 0


def test_intervals_of_the_lithium_content_are_scored_by_size(result, truth):
    table = read_table(truth / "tables" / "particles.csv")
    off = np.where(np.arange(len(table)) % 4 == 0, 0.3, 0.0)
    charge = table[["particle"]].assign(
        li_content=table.li_content + off,
        li_content_low=table.li_content + off - 0.2,
        li_content_high=table.li_content + off + 0.2,
        withheld="",
    )
    write_table(result / "tables" / "charge.csv", charge)
    found = score(result, truth)
    assert found["coverage_95.li_content"]["value"] == pytest.approx(0.75, abs=0.01)
    assert found["li_content_bias"]["value"] == pytest.approx(0.075, abs=0.005)


def test_a_count_above_the_limit_is_held_against_the_true_one(result, truth, change_summary):
    table = read_table(truth / "tables" / "particles.csv")
    there = int((table.equivalent_diameter_um >= 7).sum())
    entry = {"value": there + 10, "sd": 4.0, "limit_um": 7.0, "unit": "particles"}
    change_summary(result, particles_above_limit=entry)
    found = score(result, truth)
    assert found["particle_count_error_percent"]["value"] == pytest.approx(1000 / there)
    assert found["coverage_95.particle_count"]["value"] == 0
    bound = {"value": there - 10, "bound": "lower", "limit_um": 7.0, "unit": "particles"}
    change_summary(result, particles_above_limit=bound)
    found = score(result, truth)
    assert found["particle_count_bound_holds"]["value"] == 1
    assert "coverage_95.particle_count" not in found
