"""Where programs put volumes in HDF5, and in which order of axes. In: a file; out: a dataset.

As their own code writes them: nabu (NXprocess with a configuration), Savu (a NeXus file that links
to one file for each step), HTTomo (one file for each step) and tomopy (through dxchange).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.hdf5.links import LeadsNowhere
from xct.io.hdf5.source import Source
from xct.io.tiff.stacks import named

Axes = tuple[int, int, int]

# Places of datasets, the program that writes them, and which of their axes are z, y and x.
_PLACES: tuple[tuple[re.Pattern[str], str, Axes], ...] = (
    (re.compile(r".*/reconstruction/results/data"), "nabu", (0, 1, 2)),
    (re.compile(r".*/final_result_[^/]*/data"), "Savu", (1, 0, 2)),
    (re.compile(r".*/exchange/recon"), "tomopy", (0, 1, 2)),
    (re.compile(r".*/exchange/data"), "tomopy", (0, 1, 2)),
)
_OF_A_STEP = re.compile(r"/\d+-[^/]+-[^/]+/data")  # in the file that Savu writes for a step
_OF_HTTOMO = "/data_dims/detector_x_y"  # beside its /data and /angles
_RAW = ("data_white", "data_dark", "image_key", "rotation_angle", "theta")  # beside raw frames
_TURNING = ("theta", "angle", "rot")
_MOST = 8  # datasets that a message names
_DEEPEST = 8  # groups that follow each other by the attribute `default`


@dataclass(frozen=True)
class Written:
    """A dataset of three axes, and how its program orders them.

    Attributes
    ----------
    place : str
        Path inside the file.
    program : str
        Which writes it there; empty where none is known.
    axes : tuple of int or None
        Which of its axes longer than 1 are z, y and x, as the program writes them.
    """

    place: str
    program: str = ""
    axes: Axes | None = None


def find_volume(source: Source, path: Path, wanted: str | None) -> Written:
    """Find the dataset of the volume: the one that is named, one of a known program, or the only.

    Parameters
    ----------
    source : Source
        The file, open.
    path : Path
        Its name, for messages.
    wanted : str or None
        The dataset that the user names.

    Raises
    ------
    ScanError
        If there is none, or there are several, or it holds projections.
    """
    if wanted is not None:
        return _recognized(source, path, "/" + wanted.strip("/"))
    _check_links(source, path, every=False)
    there = {name: dataset.shape for name, dataset in source.datasets() if _is_volume(dataset)}
    if not there:
        _check_links(source, path, every=True)
        raise ScanError(f"file: {path}: holds no dataset of three axes (z, y, x)")
    place = _place(source, there)
    if place is None:
        shown = [f"{name} ({' × '.join(map(str, shape))})" for name, shape in there.items()]
        raise ScanError(
            f"path: {path}: holds {len(there)} datasets that could be the volume; name one by "
            f"volume.path: {named(shown, _MOST)}"
        )
    _refuse_raw(source, path, place)
    return _recognized(source, path, place)


def _place(source: Source, there: Mapping[str, tuple[int, ...]]) -> str | None:
    """Choose one of several: the final result of a program, or what NeXus marks as default."""
    if len(there) == 1:
        return next(iter(there))
    for pattern, _, _ in _PLACES:
        fitting = [name for name in there if pattern.fullmatch(name)]
        if len(fitting) == 1:
            return fitting[0]
    return next((name for name in _defaults(source) if name in there), None)


def _defaults(source: Source) -> list[str]:
    """Follow the attributes `default` from the root, or from its only group, to a signal."""
    group, found = "", []
    for _ in range(_DEEPEST):
        attributes = getattr(source.find(group or "/"), "attrs", {})
        if signal := Source.text_of(attributes.get("signal")):
            found.append(f"{group}/{signal}")
        following = Source.text_of(attributes.get("default"))
        if following is None and not group:
            inside = source.find("/")
            groups = [name for name in inside if isinstance(inside.get(name), h5py.Group)]
            following = groups[0] if len(groups) == 1 else None
        if not following:
            break
        group = following if following.startswith("/") else f"{group}/{following}"
    return found


def _recognized(source: Source, path: Path, place: str) -> Written:
    """Say which program wrote a dataset, and how it orders its axes."""
    dataset = source.require(place)
    lengths = [length for length in dataset.shape if length > 1]
    for pattern, program, axes in _PLACES:
        if pattern.fullmatch(place):
            return Written(place, program, axes)
    if place == "/data" and source.has(_OF_HTTOMO) and len(lengths) == 3:
        if lengths[0] != lengths[2]:
            raise ScanError(
                f"file: {path}: {place} holds {lengths[0]} projections or sinograms as HTTomo "
                f"writes them between its steps (slices of a volume are square, these have "
                f"{lengths[0]} × {lengths[2]}); name the file of the reconstruction"
            )
        return Written(place, "HTTomo", (1, 0, 2))
    if _OF_A_STEP.fullmatch(place) and len(lengths) == 3 and lengths[0] == lengths[2]:
        return Written(place, "Savu", (1, 0, 2))
    return Written(place)


def _is_volume(dataset: h5py.Dataset) -> bool:
    lengths = [length for length in dataset.shape or () if length > 1]
    return len(lengths) == 3 and dataset.dtype.kind in "iufb"


def _check_links(source: Source, path: Path, every: bool) -> None:
    """Raise where the result of a known program, or `every` link, leads to what is not there."""
    links: list[str] = []

    def note(name: str, link: object) -> None:
        if isinstance(link, h5py.ExternalLink):
            links.append(f"/{name}")

    source.find("/").visititems_links(note)
    for link in links:
        if every or any(pattern.fullmatch(link) for pattern, _, _ in _PLACES):
            try:
                source.links.resolve(link)
            except LeadsNowhere as error:
                raise ScanError(f"file: {path}: {link} cannot be read: {error}") from None


def _refuse_raw(source: Source, path: Path, place: str) -> None:
    folder = place.rpartition("/")[0]
    beside = [name for name in _RAW if source.has(f"{folder}/{name}")]
    names = axis_names(source, place)
    turning = [name for name in names if name.startswith(_TURNING)]
    if beside or turning:
        why = f"{named(beside)} stands beside it" if beside else f"its axes are {', '.join(names)}"
        raise ScanError(
            f"file: {path}: {place} holds the projections of a raw scan ({why}), not a volume; "
            "name it by scan.file, or another dataset by volume.path"
        )


def axis_names(source: Source, place: str) -> list[str]:
    """Give the names of a dataset's axes; empty where the file does not say them.

    NeXus keeps them with the group, others with the dataset or as its dimension labels. Where the
    dataset is a link, its group here and that in the file that it leads to are asked.

    Parameters
    ----------
    source : Source
        The file, open.
    place : str
        Path of the dataset.
    """
    dataset = source.require(place)
    for holder in (source.find(place.rpartition("/")[0] or "/"), dataset.parent, dataset):
        said = getattr(holder, "attrs", {}).get("axes")
        if said is not None and (names := _split(said)):
            return names
    labels = [dimension.label.strip().lower() for dimension in dataset.dims]
    return labels if all(labels) else []


def _split(said: object) -> list[str]:
    parts = np.atleast_1d(np.asarray(said)).tolist()
    texts = [part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
             for part in parts]  # fmt: skip
    if len(texts) == 1:
        texts = texts[0].replace("[", "").replace("]", "").replace(",", ":").split(":")
    return [text.strip().lower().split(".")[0] for text in texts]
