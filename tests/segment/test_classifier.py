"""The pixel classifier: learns from paint, sees no seams, is kept without code."""

import json
import os

import numpy as np
import pytest
import tifffile
from skimage.feature import multiscale_basic_features
from skimage.filters import threshold_otsu

from xct.segment.material.classifier import classify, train_classifier
from xct.segment.material.classifier_files import read_classifier, write_classifier
from xct.segment.material.pixel_features import Look, grey_range

pytest.importorskip("sklearn")


def textures(seed=0, shape=(6, 48, 48), scale=1.0):
    """Two halves of the same mean grey value, one of them rough: no threshold parts them."""
    rng = np.random.default_rng(seed)
    volume = rng.normal(0, 0.3, shape)
    volume[:, :, 24:] *= 6
    truth = np.ones(shape, np.uint8)
    truth[:, :, 24:] = 2
    return (scale * (volume + 5)).astype(np.float32), truth


def paint(truth):
    painted = np.zeros_like(truth)
    painted[1, 10:20, 6:16] = truth[1, 10:20, 6:16]
    painted[1, 10:20, 32:42] = truth[1, 10:20, 32:42]
    return painted


@pytest.mark.parametrize("dimensions", [2, 3])
def test_what_differs_in_texture_only_is_distinguished(dimensions):
    volume, truth = textures()
    trained = train_classifier(volume, paint(truth), sigma_px=4, dimensions=dimensions, trees=24)
    fresh, _ = textures(seed=9, scale=300.0)
    labels = classify(fresh, trained)
    away = np.abs(np.arange(48) - 23.5) > 4
    assert labels.dtype == np.uint8
    assert (labels == truth)[:, :, away].mean() > 0.9


@pytest.mark.parametrize("dimensions", [2, 3])
def test_slabs_do_not_change_the_answer(dimensions):
    volume, truth = textures(shape=(30, 32, 48))
    trained = train_classifier(volume, paint(truth), sigma_px=2, dimensions=dimensions, trees=8)
    whole_p, parts_p = (np.zeros((2, *volume.shape), np.float32) for _ in range(2))
    whole = classify(volume, trained, probability=whole_p, rows=30)
    into = np.full(volume.shape, 9, np.uint8)
    parts = classify(volume, trained, into, probability=parts_p, rows=7)
    assert parts is into
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_array_equal(whole_p, parts_p)
    np.testing.assert_allclose(whole_p.sum(axis=0), 1, atol=1e-5)


def test_a_kept_classifier_gives_the_same_labels(tmp_path):
    volume, truth = textures()
    trained = train_classifier(volume, paint(truth), sigma_px=2, trees=8)
    write_classifier(tmp_path / "particles.npz", trained)
    again = read_classifier(tmp_path / "particles.npz")
    np.testing.assert_array_equal(classify(volume, trained), classify(volume, again))


@pytest.mark.parametrize("rescale", [True, False])
def test_a_classifier_of_an_earlier_version_is_read(tmp_path, rescale):
    volume, truth = textures()
    trained = train_classifier(volume, paint(truth), sigma_px=2, trees=8)
    look = {"sigma_px": 2.0, "dimensions": 2, "rescale": rescale}
    earlier = {"format": "xct pixel classifier 1", "look": look, "trees": 8, "seed": 0}
    np.savez(
        tmp_path / "earlier.npz",
        settings=np.array(json.dumps(earlier)),
        features=trained.features,
        labels=trained.labels,
    )
    assert read_classifier(tmp_path / "earlier.npz").look.scale == ((0, 1) if rescale else None)


def test_within_one_scale_features_are_those_of_scikit_image(test_data):
    folder = test_data("nmc_nanoct_labelled")
    image, other = (tifffile.imread(folder / f"{n}.tif").astype(np.float32)[None] for n in (1, 100))
    kwargs = {"sigma_min": 1, "sigma_max": 2, "num_sigma": 2}
    plain = multiscale_basic_features(other[0], **kwargs)
    ((_, found),) = Look(2.0, 2, grey_range(image)).slabs(other)
    np.testing.assert_array_equal(found[0], plain.astype(np.float32))


def test_what_was_learnt_on_one_slice_serves_on_the_next(test_data):
    folder = test_data("nmc_nanoct_labelled")
    for learnt, held_out in ((200, 100), (1502, 1501)):
        image, fresh = (
            tifffile.imread(folder / f"{n}.tif").astype(np.float32)[:300, :300]
            for n in (learnt, held_out)
        )
        truth, wanted = (
            tifffile.imread(folder / f"{n}_label.tif")[:300, :300] + np.uint8(1)
            for n in (learnt, held_out)
        )
        painted = np.where(np.random.default_rng(0).random(truth.shape) < 0.02, truth, 0)
        trained = train_classifier(image[None], painted[None].astype(np.uint8), trees=16)
        # Another scale is found to be one.
        moved = fresh if learnt == 200 else 1e-5 * fresh - 7
        labels = classify(moved[None], trained)[0]
        otsu = 2 * ((fresh > threshold_otsu(fresh)) & (wanted == 1)).sum()
        otsu /= (fresh > threshold_otsu(fresh)).sum() + (wanted == 1).sum()
        dice = (
            2 * ((labels == 1) & (wanted == 1)).sum() / ((labels == 1).sum() + (wanted == 1).sum())
        )
        assert dice > otsu + 0.05


def test_several_volumes_are_learnt_from():
    pairs = [textures(seed, scale=10.0**seed) for seed in range(2)]
    trained = train_classifier(
        [volume for volume, _ in pairs], [paint(truth) for _, truth in pairs], sigma_px=2, trees=8
    )
    assert len(trained.labels) == 400
    fewer = train_classifier(*pairs[0], sigma_px=2, trees=8, most_samples=50)
    assert np.bincount(fewer.labels).tolist() == [0, 50, 50]


def test_code_in_a_file_is_never_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harmed"),))

    np.savez(tmp_path / "bad.npz", settings=np.array(Harmful(), dtype=object))
    for content in (b"", b"PK\x03\x04 broken", b"text"):
        (tmp_path / "other.npz").write_bytes(content)
        with pytest.raises(ValueError, match="is not a pixel classifier"):
            read_classifier(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="is not a pixel classifier"):
        read_classifier(tmp_path / "bad.npz")
    assert not (tmp_path / "harmed").exists()
    with pytest.raises(ValueError, match="is not a pixel classifier"):
        read_classifier(tmp_path / "missing.npz")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda v, p: (v, np.minimum(p, 1)), "only label 1 was painted"),
        (lambda v, p: (v, 0 * p), "nothing was painted"),
        (lambda v, p: (v, p[:3]), r"shape \(3, 48, 48\), the volume"),
        (lambda v, p: (np.where(p == 2, np.nan, v), p), "not finite"),
        (lambda v, p: (0 * v, p), "nothing to distinguish"),
    ],
)
def test_paint_that_teaches_nothing_is_refused(change, error):
    volume, truth = textures()
    with pytest.raises(ValueError, match=error):
        train_classifier(*change(volume, paint(truth)), sigma_px=2, trees=4)
