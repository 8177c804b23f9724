"""Every stage gives the same answer whole and in blocks: one test for all that are registered."""

import numpy as np
import pytest

import xct.preprocess
import xct.reconstruct
from xct.phantom import project_discs, random_discs
from xct.preprocess.veiling.frame_light import gather_light
from xct.stages import STAGES as ALL_STAGES
from xct.stages import in_blocks

# Those that measure a finished volume cut it themselves; their own tests vary the slabs.
STAGES = {name: stage for name, stage in ALL_STAGES.items() if not stage.measures}

ANGLES, ROWS, COLUMNS = 47, 13, 40
CENTER = (COLUMNS - 1) / 2 + 0.3

# Bit by bit, except where a Fourier transform may round otherwise in a block of another size:
# there within this part of the largest value.
TOLERANCE = {"fbp": 1e-5, "iterative": 1e-5, "phase_retrieval": 1e-5}

# Settings that reach farther than the defaults, tried besides them.
MORE_SETTINGS = {
    "flat_field": [{"combine": "median"}, {"combine": "trimmed", "in_time": "nearest"}],
    "fill_dead_pixels": [{"reach_px": 2}],
    "outliers": [{"kind": "bright", "threshold": 0.05}],
    "fill_nonpositive": [{"floor_sd": 3.0}],
    "iterative": [{"method": "cgls"}],
    "stripes": [{"method": "sorting"}, {"method": "both"}, {"method": "auto"}, {"size_px": 5}],
}

# The example has no shadow in which glare could be measured.
GIVEN = {
    "glare": {"fraction": 0.01, "range_um": 20.0},
    "phase_retrieval": {"material": "ncm811", "within": "lpscl"},
}

CASES = [
    (name, settings)
    for name in sorted(STAGES)
    for settings in [GIVEN.get(name, {}), *MORE_SETTINGS.get(name, [])]
]


def raw_scan():
    """Counts with all that goes wrong: dead and photon-starved pixels, zingers, stripes, drift."""
    rng = np.random.default_rng(11)
    theta_deg = np.arange(ANGLES) * 180.0 / ANGLES
    sinogram = project_discs(random_discs(8, COLUMNS, seed=4), theta_deg, COLUMNS, CENTER)
    thickness = np.linspace(0.5, 1.5, ROWS)[:, None] / sinogram.max()
    transmission = np.exp(-sinogram[:, None] * thickness)
    transmission[:, 3, 12:20] = 0.0
    gain = rng.uniform(900, 1100, (ROWS, COLUMNS))
    # Flats before, in the middle of and after the projections, while the beam falls by a tenth.
    flat_time = np.r_[0:4, 40:44, 80:84].astype(float)
    projection_time = np.r_[5:29, 50:73].astype(float)
    dark = rng.integers(95, 105, (ROWS, COLUMNS))
    darks = dark + rng.normal(0, 2, (5, ROWS, COLUMNS))

    def taken(time, part):
        level = (1 - time / 800)[:, None, None]
        return dark + rng.poisson(level * gain * part)

    projections, flats = taken(projection_time, transmission), taken(flat_time, np.float64(1))
    projections = projections + np.where(np.arange(COLUMNS) == 25, 40, 0)  # a stripe
    for stack in (projections, flats):
        stack[:, 6, 7:9] = stack[:, :, 33] = 100  # dead: a cluster and a column
    hit = tuple(rng.integers(0, length, 60) for length in projections.shape)
    projections[hit] += 5000
    projections[10, 0, 15:17] += 3000
    projections[:, 3, 12:20] -= 3
    return {
        "projections": projections.clip(0).astype(np.uint16),
        "flats": flats.astype(np.uint16),
        "darks": darks.round().astype(np.uint16),
        "projection_time": projection_time,
        "flat_time": flat_time,
        "projection_dose": np.linspace(0.9, 1.1, len(projection_time)),
        "flat_dose": np.linspace(0.9, 1.1, len(flat_time)),
        "theta_deg": theta_deg,
        "center_px": np.full(ROWS, CENTER),
        "frame_shape": (ROWS, COLUMNS),
        "row_px": np.arange(ROWS),
        "pixel_size_um": 1.3,
        "energy_kev": 25.0,
        "distance_mm": 40.0,
    }


@pytest.fixture(scope="module")
def before():
    """For every stage: what there is when it comes to it."""
    quantities, found = raw_scan(), {}
    order = ["flat_field", "fill_dead_pixels", "outliers", "glare", "line_integrals"]
    for name in [*order, "fill_nonpositive"]:
        found[name] = dict(quantities)
        quantities |= STAGES[name].answers(STAGES[name](quantities, GIVEN.get(name, {})))
        if name == "flat_field":
            transmission = quantities["transmission"]
            light = gather_light(
                lambda first, stop, t=transmission: t[:, first:stop], ROWS, COLUMNS
            )
            quantities |= {"frame_light": light}
    found["phase_retrieval"] = found["line_integrals"]
    return {name: found.get(name, quantities) for name in STAGES}


def test_the_example_holds_what_the_stages_are_for(before):
    marked = {name: np.count_nonzero(np.isnan(before[name]["transmission"]))
              for name in ("fill_dead_pixels", "outliers")}  # fmt: skip
    assert marked["fill_dead_pixels"] > 0
    assert marked["outliers"] == 0
    assert np.isnan(before["fill_nonpositive"]["line_integrals"]).any()
    for name in ("outliers", "stripes"):
        quantities = before[name]
        changed = STAGES[name](quantities, {}) != quantities[STAGES[name].gives[0]]
        assert changed.any()


@pytest.mark.parametrize("size", [1, 3, 5, 12, 100])
@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda value: str(value))
def test_cutting_does_not_change_the_answer(before, name, settings, size):
    stage = STAGES[name]
    if not stage.cut:
        with pytest.raises(ValueError, match="must see the whole"):
            in_blocks(stage, before[name], settings, axis="row", size=size)
        return
    whole = stage.answers(stage(before[name], settings))[stage.gives[0]]
    for axis in stage.cut:
        pieces = in_blocks(stage, before[name], settings, axis=axis, size=size)
        if name in TOLERANCE:
            limit = TOLERANCE[name] * np.abs(whole).max()
            np.testing.assert_allclose(pieces, whole, rtol=0, atol=limit)
        else:
            np.testing.assert_array_equal(pieces, whole, err_msg=f"cut along {axis}")


def test_cutting_would_change_the_answer_without_overlap(before):
    stage = STAGES["fill_dead_pixels"]
    broken = type(stage)(stage.function, stage.gives, stage.cut, overlap=0)
    quantities = before["fill_dead_pixels"]
    pieces = in_blocks(broken, quantities, {}, axis="row", size=3)
    assert not np.array_equal(pieces, stage(quantities, {}), equal_nan=True)


def test_all_stages_of_the_packages_are_here():
    own = {name for name, stage in STAGES.items() if stage.function.__module__.startswith("xct.")}
    assert own <= {*xct.preprocess.__all__, *xct.reconstruct.__all__}
    assert len(own) >= 10
