"""Where the profile of the beam moves, each projection gets a flat of its own."""

import json

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

import xct
from xct.phantom.discs import project_discs
from xct.preprocess.flats import flat_field
from xct.preprocess.frames.beam_profile import FlatMixture, components, mixture, pairs_of_rows

ROWS, COLUMNS, ANGLES, FLATS = 16, 128, 60, 12
COUNTS, OFFSET = 20_000, 100
DISCS = np.array([[3, 2, 38, 0.008], [18, 12, 9, 0.02], [-22, 15, 7, 0.02]])
AIR = np.r_[0:18, COLUMNS - 18 : COLUMNS]


def beam(seed):
    """A beam of speckles on a screen with a pattern of its own, at any displacement."""
    rng = np.random.default_rng(seed)
    rough = gaussian_filter(rng.normal(0, 1, (ROWS + 20, COLUMNS + 20)), 4)
    profile = 1 + 0.08 * rough / rough.std()
    screen = 1 + rng.normal(0, 0.02, (ROWS, COLUMNS))

    def at(moved):
        rows_columns = (0.5 * moved, 0.85 * moved)
        return shift(profile, rows_columns, order=3, mode="nearest")[10:-10, 10:-10] * screen

    return at


def scan(seed, moved=3.0):
    """Projections, flats before and after, with their places in time; counts above the dark."""
    rng, at = np.random.default_rng(seed + 100), beam(seed)
    theta = np.linspace(0, 180, ANGLES, endpoint=False)
    integrals = project_discs(DISCS, theta, COLUMNS, 63.3)[:, None]
    integrals = integrals * (1 + 0.01 * np.arange(ROWS))[:, None]
    when = np.linspace(0.1, 0.9, ANGLES)
    flat_when = np.append(np.linspace(0, 0.05, FLATS), np.linspace(0.95, 1, FLATS))
    path = [moved * (1 - (1 - t) ** 4) for t in when]  # fast first, as after a refill
    flat_path = [moved * (1 - (1 - t) ** 4) for t in flat_when]
    projections = rng.poisson(COUNTS * np.stack([at(s) for s in path]) * np.exp(-integrals))
    flats = rng.poisson(COUNTS * np.stack([at(s) for s in flat_path]))
    return projections.astype(np.float32), flats.astype(np.float32)


def pairs(frames):
    return np.stack([frames[:, row : row + 2] for row in pairs_of_rows(ROWS)], axis=1)


def mixed(projections, flats, air=True):
    mask = np.isin(np.arange(COLUMNS), AIR) if air else None
    bright = np.full(len(projections), float(flats.mean()))
    return mixture(components(pairs(flats)), lambda part: pairs(projections[part]), bright, mask)


def unevenness(projections, gains):
    """Rms of the air beside the sample, beyond photon noise, averaged over 4 × 4 pixels."""
    air = (projections / gains)[:, :, AIR]
    air = air / air.mean(axis=(1, 2), keepdims=True)
    blocks = air.reshape(len(air), ROWS // 4, 4, -1, 4).mean(axis=(2, 4))
    return np.sqrt(max(np.mean((blocks - 1) ** 2) - 1 / COUNTS / 16, 0))


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_that_keeps_its_profile_has_no_components(seed):
    """Whatever its brightness does."""
    _, flats = scan(seed, moved=0.0)
    assert components(pairs(flats)) is None
    fading = np.linspace(1, 0.8, len(flats))[:, None, None]
    assert components(pairs(flats * fading)) is None


@pytest.mark.parametrize("seed", range(4))
def test_air_is_flat_with_flats_of_their_own(seed):
    projections, flats = scan(seed)
    own = mixed(projections, flats)
    gains = np.tensordot(own.by_frame, np.tensordot(own.of_flats, flats, axes=1), axes=1)
    left, before = unevenness(projections, gains), unevenness(projections, flats.mean(axis=0))
    assert left < 0.003
    assert left < before / 3


@pytest.mark.parametrize("seed", range(2))
def test_without_air_the_structure_of_the_beam_is_taken_out(seed):
    projections, flats = scan(seed)
    own = mixed(projections, flats, air=False)
    gains = np.tensordot(own.by_frame, np.tensordot(own.of_flats, flats, axes=1), axes=1)
    before = unevenness(projections, flats.mean(axis=0))
    assert unevenness(projections, gains) < before / 2


def test_each_projection_is_divided_by_its_own_flat_whatever_the_rows():
    projections, flats = scan(0)
    own, darks = mixed(projections, flats), np.full((2, ROWS, COLUMNS), OFFSET, np.float32)
    counts, fields = projections + OFFSET, flats + OFFSET
    found = flat_field(counts, fields, darks, flat_mixture=own)
    gain = np.einsum("k,kf,frc->rc", own.by_frame[7], own.of_flats, flats)
    np.testing.assert_allclose(found[7], projections[7] / gain, rtol=1e-5)
    part = flat_field(counts[:, 5:9], fields[:, 5:9], darks[:, 5:9], flat_mixture=own)
    np.testing.assert_array_equal(part, found[:, 5:9])


def test_flats_in_time_are_taken_where_the_user_says_so():
    projections, flats = scan(0)
    own = mixed(projections, flats)
    darks = np.zeros((1, ROWS, COLUMNS), np.float32)
    said = flat_field(projections, flats, darks, flat_mixture=own, in_time="constant")
    np.testing.assert_array_equal(said, flat_field(projections, flats, darks, in_time="constant"))


def test_a_mixture_is_read_back_as_it_was_noted():
    own = mixed(*scan(1))
    again = FlatMixture.from_dict(json.loads(json.dumps(own.to_dict())))
    np.testing.assert_array_equal(again.by_frame, own.by_frame)
    np.testing.assert_array_equal(again.of_flats, own.of_flats)


def run(folder, projections, flats, **steps):
    folder.mkdir()
    counts = [np.full((4, ROWS, COLUMNS), 0.0), flats[:FLATS], projections, flats[FLATS:]]
    keys = np.repeat([2, 1, 0, 1], [4, FLATS, ANGLES, FLATS])
    turned = np.linspace(0, 180, ANGLES, endpoint=False)
    with h5py.File(folder / "scan.nxs", "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        detector["data"] = (np.concatenate(counts) + OFFSET).astype(np.uint16)
        detector["image_key"] = keys
        detector["x_pixel_size"] = 2e-6
        detector["x_pixel_size"].attrs["units"] = "m"
        entry["sample/rotation_angle"] = np.concatenate(
            [np.zeros(4 + FLATS), turned, np.full(FLATS, 180.0)]
        )
    source = {"file": str(folder / "scan.nxs"), "center_px": 63.3}
    output = {"output": str(folder / "out"), "run": {"figures": "none"}}
    result = xct.run({"scan": source, "steps": steps, **output})
    return np.asarray(result.volume[:]), json.loads(
        (folder / "out" / "summary.json").read_text(encoding="utf-8")
    )


def test_a_run_chooses_them_by_itself_and_says_so(tmp_path):
    still, of_still = run(tmp_path / "still", *scan(2, moved=0.0))
    assert "beam_profile_moved" not in of_still
    own, of_own = run(tmp_path / "own", *scan(2))
    assert of_own["beam_profile_moved"]["value"] == pytest.approx(0.02, abs=0.01)
    in_time, _ = run(tmp_path / "time", *scan(2), flat_field={"in_time": "interpolated"})
    y, x = np.indices((COLUMNS, COLUMNS)) - (COLUMNS - 1) / 2
    truth = sum((np.hypot(x - a, y - b) <= r) * mu for a, b, r, mu in DISCS) / 2e-4
    truth = truth * (1 + 0.01 * np.arange(ROWS))[:, None, None]
    inside = np.hypot(x, y) < 50

    def squares(volume):
        return np.mean(np.square(volume - truth)[:, inside])

    assert squares(own) - squares(still) < 0.3 * (squares(in_time) - squares(still))


def trembling(seed, sd, scale, contrast):
    """A beam that stands elsewhere in every frame, in both directions."""
    rng = np.random.default_rng(seed)
    rough = gaussian_filter(rng.normal(0, 1, (ROWS + 40, COLUMNS + 40)), scale)
    profile = 1 + contrast * rough / rough.std()
    screen = 1 + rng.normal(0, 0.02, (ROWS, COLUMNS))

    def frames(count):
        places = rng.normal(0, sd, (count, 2))
        moved = [shift(profile, place, order=3, mode="nearest")[20:-20, 20:-20] for place in places]
        return COUNTS * np.stack(moved) * screen

    theta = np.linspace(0, 180, ANGLES, endpoint=False)
    seen = np.exp(-project_discs(DISCS, theta, COLUMNS, 63.3))[:, None]
    return [
        rng.poisson(np.maximum(x, 0)).astype(np.float32)
        for x in (frames(ANGLES) * seen, frames(2 * FLATS))
    ]


@pytest.mark.parametrize(("sd", "scale", "contrast"), [(3, 4, 0.08), (10, 4, 0.08), (6, 2, 0.08)])
def test_a_beam_that_stands_elsewhere_in_every_frame_is_seen_to_move(sd, scale, contrast):
    """Though no two flats are alike, and so none shows what noise is."""
    projections, flats = trembling(2, sd, scale, contrast)
    own = mixed(projections, flats)
    gains = np.tensordot(own.by_frame, np.tensordot(own.of_flats, flats, axes=1), axes=1)
    air = np.array([unevenness(p[None], f[None]) for p, f in zip(projections, gains, strict=True)])
    similar = [min(unevenness(p[None], f[None]) for f in flats) for p in projections]
    assert np.sqrt(np.mean(air**2)) < 0.85 * unevenness(projections, flats.mean(axis=0))
    assert np.sqrt(np.mean(air**2)) < np.sqrt(np.mean(np.square(similar)))


def test_what_no_flat_takes_out_is_said(tmp_path):
    _, said = run(tmp_path / "trembling", *trembling(3, 6, 4, 0.08))
    assert any("the beam's profile moves" in text for text in map(str, said["warnings"]))
    _, still = run(tmp_path / "drifting", *scan(3))
    assert not any("beam's profile moves" in text for text in map(str, still["warnings"]))
