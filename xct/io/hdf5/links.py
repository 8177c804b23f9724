"""Links between HDF5 files: where they lead, and that they stay where they may."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py

_MOST_LINKS = 32


class LeadsNowhere(Exception):
    """A link whose target is missing, or lies where links may not lead."""


@dataclass(frozen=True)
class Place:
    """An object behind all links: the file that holds it, and its path there."""

    file: Path
    path: str


@dataclass
class Storage:
    """How the values of a dataset lie on disk.

    Attributes
    ----------
    files : list of Path
        Files that hold values: for a virtual dataset, those of its parts.
    whole_frames : bool
        Whether reading a few rows costs as much as the frame.
    filtered : bool
        Whether chunks are compressed.
    notes : list of str
        Warnings, e.g. that some values were never written.
    """

    files: list[Path] = field(default_factory=list)
    whole_frames: bool = False
    filtered: bool = False
    notes: list[str] = field(default_factory=list)


class Links:
    """The files that one file leads to; each is opened once, until `close`.

    Links may lead to files in the folder of the named file or below it, or below
    `links_below`. What counts is where a file really lies, symbolic links resolved.
    """

    def __init__(
        self, file: Path, links_below: Path | None, opener: Callable[[Path], h5py.File]
    ) -> None:
        self.file = Path(os.path.abspath(file))
        self._roots = [self.file.parent.resolve(), self.file.resolve().parent]
        if links_below is not None:
            self._roots.append(Path(links_below).resolve())
        self._opener = opener
        self._open: dict[Path, h5py.File] = {}

    def opened(self, file: Path) -> h5py.File:
        """Open a file, or get it where it is open already."""
        if file not in self._open:
            self._open[file] = self._opener(file)
        return self._open[file]

    def close(self) -> None:
        """Close every file."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def resolve(self, path: str) -> Place | None:
        """Follow all links along `path` in the named file; None where nothing stands there.

        Raises
        ------
        LeadsNowhere
            If a link on the way is broken or leads out of the folder.
        """
        return self._walk(self.file, path, _MOST_LINKS)

    def _walk(self, file: Path, path: str, links_left: int) -> Place | None:
        if links_left == 0:
            raise LeadsNowhere(f"more than {_MOST_LINKS} links follow each other")
        group: Any = self.opened(file)
        parts = [part for part in path.split("/") if part not in ("", ".")]
        done = ""
        for number, name in enumerate(parts):
            if not isinstance(group, h5py.Group):
                return None
            known = group.id.links
            if not known.exists(name.encode()):
                return None
            kind = known.get_info(name.encode()).type
            rest = "/".join(parts[number + 1 :])
            if kind == h5py.h5l.TYPE_HARD:
                group, done = group[name], f"{done}/{name}"
                continue
            target = self._target(file, done, kind, known.get_val(name.encode()))
            found = self._walk(target.file, f"{target.path}/{rest}", links_left - 1)
            if found is None:
                raise LeadsNowhere(
                    f"the link {done}/{name} leads to {target.path} in {target.file.name}, "
                    "which is not there"
                )
            return found
        return Place(file, done or "/")

    def _target(self, file: Path, folder: str, kind: int, value: Any) -> Place:
        if kind == h5py.h5l.TYPE_SOFT:
            path = os.fsdecode(value)
            return Place(file, path if path.startswith("/") else f"{folder}/{path}")
        if kind == h5py.h5l.TYPE_EXTERNAL:
            name, path = (os.fsdecode(part) for part in value)
            return Place(self.follow(file, name), path)
        raise LeadsNowhere("it is a link of a kind that only other programs know")

    def follow(self, file: Path, name: str) -> Path:
        """Find the file that `file` calls `name`, in the order in which HDF5 looks for it.

        Raises
        ------
        LeadsNowhere
            If it is missing, or lies outside of the folder.
        """
        if name == ".":
            return file
        folders = dict.fromkeys((file.parent, file.resolve().parent))
        wanted = [folder / name for folder in folders]  # an absolute name stays as it is
        if Path(name).is_absolute():
            wanted += [folder / Path(name).name for folder in folders]
        for target in wanted:
            if target.exists():
                self._allow(file, target)
                # `a/../b` is not `b` where `a` is a symbolic link
                return target.resolve() if ".." in target.parts else target
        raise LeadsNowhere(f"it leads to {name}, which is missing in {file.parent}")

    def _allow(self, file: Path, target: Path) -> None:
        real = target.resolve()
        if not any(real.is_relative_to(root) for root in self._roots):
            raise LeadsNowhere(
                f"{file.name} leads to {real}, outside of the scan's folder {self._roots[0]}; "
                "set scan.links_below to a folder that holds both, if you trust this file"
            )

    def storage(self, dataset: h5py.Dataset) -> Storage:
        """Find the files that hold the values of a dataset, and how they are cut.

        Raises
        ------
        LeadsNowhere
            If a part of a virtual dataset is missing (HDF5 would read zeros) or lies outside,
            or the values lie in a raw file.
        """
        return self._storage(dataset, _MOST_LINKS)

    def _storage(self, dataset: h5py.Dataset, links_left: int) -> Storage:
        file = Path(dataset.file.filename)
        if links_left == 0:
            raise LeadsNowhere(f"more than {_MOST_LINKS} virtual datasets follow each other")
        if dataset.external:
            raw_file = dataset.external[0][0]
            raise LeadsNowhere(f"its values lie in the raw file {raw_file}; repack it first")
        if not dataset.is_virtual:
            return _layout(dataset, file)
        found, covered, known = Storage(), 0, {file: None}
        for part in dataset.virtual_sources():
            covered += part.vspace.get_select_npoints()
            for name in self._expanded(file, part.file_name):
                source = self._source(self.follow(file, name), part.dset_name, links_left - 1)
                known.update(dict.fromkeys(source.files))
                found.whole_frames |= source.whole_frames
                found.filtered |= source.filtered
        found.files = list(known)
        if 0 < covered < dataset.size:
            found.notes.append(f"{dataset.size - covered} of {dataset.size} values are missing")
        return found

    def _source(self, file: Path, path: str, links_left: int) -> Storage:
        """Look at one part of a virtual dataset, of which there may be thousands."""
        before = set(self._open)
        place = self._walk(file, path, links_left)
        if place is None:
            raise LeadsNowhere(f"it leads to {path}, which is missing in {file.name}")
        found = self._storage(self.opened(place.file)[place.path], links_left)
        for opened in set(self._open) - before:
            self._open.pop(opened).close()
        return found

    def _expanded(self, file: Path, name: str) -> list[str]:
        """List the files of a numbered virtual dataset (`%b` in HDF5)."""
        if "%b" not in name:
            return [name]
        start, end = name.split("%b", 1)
        return sorted(str(found) for found in file.parent.glob(f"{start}*{end}") if found.is_file())


def _layout(dataset: h5py.Dataset, file: Path) -> Storage:
    found = Storage([file])
    if dataset.chunks is None or dataset.ndim < 2:
        return found
    found.filtered = dataset.id.get_create_plist().get_nfilters() > 0
    found.whole_frames = found.filtered and whole_frames(dataset, -2)
    written = dataset.id.get_num_chunks()
    counts = [-(-n // size) for n, size in zip(dataset.shape, dataset.chunks, strict=True)]
    expected = math.prod(counts)
    if written < expected:
        found.notes.append(
            f"{expected - written} of {expected} chunks were never written and read as zeros; "
            "was the acquisition interrupted?"
        )
    return found


def whole_frames(dataset: h5py.Dataset, row_axis: int) -> bool:
    """Whether chunks span so much of a frame's height that a few rows cost nearly all of it."""
    # A slab of rows is cheap as long as a frame is cut into several rows of chunks.
    return dataset.chunks is not None and dataset.chunks[row_axis] * 8 > dataset.shape[row_axis]
