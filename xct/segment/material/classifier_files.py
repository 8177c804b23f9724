"""Pixel classifiers on disk. In: what one learnt from; out: a file without code, and back.

A forest is made anew from its samples, always the same: nothing in the file can be executed.
"""

from __future__ import annotations

import errno
import json
import math
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import DataError, XctError
from xct.io.atomic import written_whole
from xct.segment.material.classifier import PixelClassifier
from xct.segment.material.pixel_features import Look

_MOST_BYTES = 2**31  # of samples
_FORMAT, _FORMAT_1 = "xct pixel classifier 2", "xct pixel classifier 1"


def write_classifier(path: Path | str, classifier: PixelClassifier) -> None:
    """Write a classifier as an .npz file; it appears when it is whole."""
    path = Path(path)
    settings = {
        "format": _FORMAT,
        "look": asdict(classifier.look),
        "trees": classifier.trees,
        "seed": classifier.seed,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            settings=np.array(json.dumps(settings)),
            features=classifier.features,
            labels=classifier.labels,
        )


def _check_sizes(path: Path) -> None:
    """Refuse what says that it is larger than any classifier, before anything is unpacked."""
    if not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size > _MOST_BYTES:
                raise DataError(f"{member.filename} would unpack to {member.file_size:,} bytes")
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                header = np.lib.format.read_array_header_1_0
                shape, _, dtype = (
                    header if version == (1, 0) else np.lib.format.read_array_header_2_0
                )(file)
            if math.prod(shape) * dtype.itemsize > member.file_size:
                raise DataError(f"{member.filename} says that it has the shape {shape}")


def read_classifier(path: Path | str) -> PixelClassifier:
    """Read what `write_classifier` wrote.

    Raises
    ------
    XctError
        If it is something else, or damaged.
    """
    try:
        _check_sizes(Path(path))
        # Opened here: numpy leaves a file open that is damaged.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            settings = json.loads(str(stored["settings"]))
            features, labels = stored["features"], stored["labels"]
        look = _look(settings["look"])
        known = settings["format"] in (_FORMAT, _FORMAT_1) and features.shape == (
            len(labels),
            look.count,
        )
        trees, seed = int(settings["trees"]), int(settings["seed"])
    except MemoryError:
        raise
    except Exception as error:  # what damage raises in a reader of archives has no common type
        raise XctError(f"{path}: is not a pixel classifier of xct: {error}") from None
    if not known or labels.dtype != np.uint8 or features.dtype != np.float32:
        raise XctError(f"{path}: is not a pixel classifier that this version of xct can read")
    return PixelClassifier(look, features, labels, trees, seed)


def _look(stored: dict[str, Any]) -> Look:
    """Take the look of a file; in the first format values were relative to their volume's range."""
    scale = stored.pop("scale", None)
    if stored.pop("rescale", False):
        scale = (0.0, 1.0)
    return Look(**stored, scale=None if scale is None else (float(scale[0]), float(scale[1])))
