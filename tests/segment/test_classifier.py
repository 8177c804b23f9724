"""The pixel classifier: learns from paint, sees no seams, is kept without code."""

import os

import numpy as np
import pytest

from xct.segment.material.classifier import classify, train_classifier
from xct.segment.material.classifier_files import read_classifier, write_classifier

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
        (lambda v, p: (v, np.minimum(p, 1)), "1 label was painted"),
        (lambda v, p: (v, 0 * p), "0 label was painted"),
        (lambda v, p: (v, p[:3]), r"shape \(3, 48, 48\), the volume"),
        (lambda v, p: (np.where(p == 2, np.nan, v), p), "not finite"),
        (lambda v, p: (0 * v, p), "nothing to distinguish"),
    ],
)
def test_paint_that_teaches_nothing_is_refused(change, error):
    volume, truth = textures()
    with pytest.raises(ValueError, match=error):
        train_classifier(*change(volume, paint(truth)), sigma_px=2, trees=4)
