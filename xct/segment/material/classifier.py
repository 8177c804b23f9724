"""A pixel classifier that learns from painted labels. In: grey values, paint; out: labels.

For data that thresholds cannot part. scikit-learn (the extra ``classifier``) is imported when it
is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from xct.errors import DataError
from xct.parallel.blocks import Voxels
from xct.parallel.threads import thread_count
from xct.segment.material.pixel_features import Dimensions, Look, grey_range


@dataclass(frozen=True, eq=False)
class PixelClassifier:
    """A random forest, known by what it learnt from, so that it can be kept without code.

    Attributes
    ----------
    look : Look
        How its features are made.
    features : ndarray of float32, shape (sample, feature)
        What it learnt from.
    labels : ndarray of uint8, shape (sample,)
        Painted there.
    trees : int
        Number of trees.
    seed : int
        Of their chance: the same samples always make the same forest.
    """

    look: Look
    features: np.ndarray
    labels: np.ndarray
    trees: int = 64
    seed: int = 0

    @property
    def classes(self) -> np.ndarray:
        """The labels that it can give, rising."""
        return np.unique(self.labels)

    @cached_property
    def _forest(self) -> Any:
        try:
            from sklearn.ensemble import RandomForestClassifier
        except ImportError:
            raise DataError(
                "the pixel classifier needs scikit-learn: pip install 'xct[classifier]'"
            ) from None
        forest = RandomForestClassifier(
            n_estimators=self.trees,
            min_samples_leaf=5,
            class_weight="balanced",
            random_state=self.seed,
            n_jobs=thread_count(),
        )
        return forest.fit(self.features, self.labels)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probability of each of `classes`, shape (…, class)."""
        flat = features.reshape(-1, features.shape[-1])
        found = np.asarray(self._forest.predict_proba(flat), np.float32)
        return found.reshape(*features.shape[:-1], -1)


def train_classifier(
    volumes: Voxels | Sequence[Voxels],
    painted: Voxels | Sequence[Voxels],
    *,
    sigma_px: Annotated[float, Ge(1), Le(64)] = 8.0,
    dimensions: Dimensions = 2,
    rescale: bool = True,
    trees: Annotated[int, Ge(1), Le(2000)] = 64,
    most_samples: Annotated[int, Ge(10)] = 30_000,
    seed: int = 0,
) -> PixelClassifier:
    """Learn labels from what was painted on some slices.

    Grey value, slope and curvature [1]_ at scales from 1 to `sigma_px` voxels; a random forest in
    which all labels weigh the same, however much of each was painted.

    Parameters
    ----------
    volumes : Voxels or sequence of Voxels, shape (z, y, x)
        Grey values.
    painted : Voxels or sequence of Voxels, shape (z, y, x)
        Labels from 1 to 255 where something was painted, 0 elsewhere.
    sigma_px : float, optional
        Largest scale.
    dimensions : {2, 3}, optional
        Whether slices are looked at one by one, or as a volume.
    rescale : bool, optional
        Whether volumes that are plainly on another scale than the first, here and in `classify`,
        are brought to its median and interquartile range; not for single slices of a calibrated
        volume, which may show a material alone.
    trees : int, optional
        Trees of the forest.
    most_samples : int, optional
        Voxels of each label that are learnt from, drawn where more were painted.
    seed : int, optional
        Of all chance.

    Returns
    -------
    PixelClassifier
        For `classify`; kept in a file by `xct.segment.material.classifier_files`.

    Raises
    ------
    DataError
        If fewer than two labels were painted, or shapes do not match.

    References
    ----------
    .. [1] Berg et al. (2019), Nat. Methods 16, 1226. doi:10.1038/s41592-019-0582-9
    """
    pairs = list(zip(_listed(volumes), _listed(painted), strict=True))
    look = Look(sigma_px, dimensions, grey_range(pairs[0][0]) if rescale else None)
    learnt = [_samples(volume, paint, look) for volume, paint in pairs]
    features = np.concatenate([part[0] for part in learnt])
    labels = np.concatenate([part[1] for part in learnt])
    found = np.unique(labels)
    if found.size < 2:
        painted_yet = f"only label {found[0]} was painted" if found.size else "nothing was painted"
        raise DataError(f"{painted_yet}; paint some voxels of at least two labels")
    kept = _drawn(labels, most_samples, np.random.default_rng(seed))
    return PixelClassifier(look, features[kept], labels[kept], trees, seed)


def classify(
    volume: Voxels,
    classifier: PixelClassifier,
    into: Any = None,
    *,
    probability: Any = None,
    rows: int | None = None,
) -> Any:
    """Give every voxel the most probable of the labels that were learnt.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Grey values.
    classifier : PixelClassifier
        What was learnt.
    into : Voxels, optional
        Where labels are written, slab by slab; a new array unless given.
    probability : array, shape (class, z, y, x), optional
        Where the probability of each of ``classifier.classes`` is written.
    rows : int, optional
        Slices of a slab; the answer does not depend on it.

    Returns
    -------
    Voxels of uint8, shape (z, y, x)
        Labels.
    """
    labels = np.zeros(volume.shape, np.uint8) if into is None else into
    classes = classifier.classes.astype(np.uint8)
    for first, features in classifier.look.slabs(volume, rows):
        found = classifier.probabilities(features)
        part = slice(first, first + len(found))
        labels[part] = classes[found.argmax(axis=-1)]
        if probability is not None:
            probability[:, part] = np.moveaxis(found, -1, 0)
    return labels


def _listed(volumes: Any) -> list[Any]:
    return list(volumes) if isinstance(volumes, list | tuple) else [volumes]


def _samples(volume: Voxels, painted: Voxels, look: Look) -> tuple[np.ndarray, np.ndarray]:
    if tuple(volume.shape) != tuple(painted.shape):
        raise DataError(
            f"the painted labels have shape {tuple(painted.shape)}, the volume "
            f"{tuple(volume.shape)}; paint on the volume itself"
        )
    features, labels = [np.zeros((0, look.count), np.float32)], [np.zeros(0, np.uint8)]
    used = np.array([bool(np.any(painted[z : z + 1])) for z in range(volume.shape[0])])
    for first, found in look.slabs(volume, 1 if look.dimensions == 2 else None, used):
        paint = np.asarray(painted[first : first + len(found)])
        features.append(found[paint > 0])
        labels.append(paint[paint > 0].astype(np.uint8))
    return np.concatenate(features), np.concatenate(labels)


def _drawn(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Find the indices of at most so many samples of each label."""
    kept = []
    for label in np.unique(labels):
        index = np.flatnonzero(labels == label)
        kept.append(np.sort(rng.choice(index, most, replace=False)) if index.size > most else index)
    return np.concatenate(kept)
