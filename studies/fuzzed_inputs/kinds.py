"""Inputs of every kind, and who reads them. In: a folder; out: what can be damaged in it.

A kind is read in two ways: as a command reads it, and quickly, by the reader alone without what a
command does besides (its recipe, its words), so that many more seeds can be tried.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import numpy as np

from xct.analyze.roi.files import read_rois
from xct.cli.main import execute
from xct.config.loading import read_config
from xct.config.model import Config
from xct.config.recipe import load_recipe
from xct.config.sources import open_scan, open_volume_file
from xct.errors import DamagedFile, XctError
from xct.io.stores import is_stored
from xct.io.tables import read_table
from xct.phantom.writing import write_phantom
from xct.pipeline.output import OutputFolder
from xct.quantity import QUANTITIES
from xct.result import open_result
from xct.segment.material.classifier import PixelClassifier
from xct.segment.material.classifier_files import read_classifier, write_classifier
from xct.segment.material.pixel_features import Look

_CODES = (0, 1, 2)  # of commands that ended in words
_SHAPE = (48, 48, 48)
# Pictures are bytes with a checksum; surfaces are all written and read alike.
_OF_ONE_KIND = re.compile(r"((?:figures|surfaces\.zarr)/)[a-z_]+(?=[./])(?!\.json)")
_LOGS = ("run.log", "lock")

Read = Callable[[Path], None]


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name : str
        Of the kind.
    folder : Path
        All that is needed to read it, as it should be.
    file : str
        What is damaged, relative to it.
    read : callable
        Reads a folder as a command does; it returns where it refused in words.
    quick : callable or None
        Reads it by the reader alone; None where that is what `read` does.
    """

    name: str
    folder: Path
    file: str
    read: Read
    quick: Read | None = None


def kinds_below(folder: Path) -> list[Kind]:
    """List what can be damaged in folders of inputs; of files that differ in numbers, one."""
    found: dict[str, Kind] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        for file in sorted(path for path in place.rglob("*") if path.is_file()):
            name = file.relative_to(place).as_posix()
            alike = _OF_ONE_KIND.sub(r"\1N", f"{place.name}/{re.sub('[0-9]+', 'N', name)}")
            if file.name not in _LOGS:
                found.setdefault(alike, Kind(alike, place, name, *_readers(place, name)))
    return list(found.values())


def _readers(place: Path, name: str) -> tuple[Read, Read | None]:
    """Choose who reads a file."""
    if name in _BY_THEMSELVES:
        return _BY_THEMSELVES[name], None
    if name.startswith("out/.xct/"):
        return partial(claimed, as_it_was=place), noted
    if name.startswith("out/"):
        return verified, partial(opened, file=name)
    if name == "config.yaml":
        return checked, configured
    return checked, volume_read if (place / "volume.zarr").exists() else scan_read


def refusing(read: Read) -> Read:
    """Let a reader refuse in words."""

    def call(place: Path) -> None:
        try:
            read(place)
        except XctError:
            return

    return call


def checked(place: Path) -> None:
    """Check the configuration of a folder, as a user would."""
    code = execute(["check", str(place / "config.yaml")])
    if code not in _CODES:
        raise RuntimeError(f"exit code {code}")


def verified(place: Path) -> None:
    """Check a result and the configuration that made it."""
    execute(["verify", str(place / "out")])
    checked(place)


@refusing
def configured(place: Path) -> None:
    """Read a configuration and its recipe."""
    config, errors = read_config(place / "config.yaml")
    if config is not None and not errors:
        load_recipe(config)


@lru_cache(1)  # of a folder, whose configuration stays as it is
def _configuration(path: Path) -> Config:
    config, errors = read_config(path)
    assert config is not None, errors
    return config


@refusing
def scan_read(place: Path) -> None:
    """Open a scan and read a frame."""
    scan = open_scan(_configuration(place / "config.yaml"))
    scan.projections.read(slice(0, 1))


@refusing
def volume_read(place: Path) -> None:
    """Open a volume that another program may have written."""
    config = _configuration(place / "config.yaml")
    assert config.volume is not None
    open_volume_file(config.volume)


def opened(place: Path, file: str) -> None:
    """Open a result, and read what is kept in one of its files."""
    try:
        result = open_result(place / "out")
        if file.startswith("out/volume.zarr"):
            result.stored_volume.read(slice(0, 1))
        elif file.endswith(".csv"):
            _done(result.tables)
        elif file in ("out/summary.json", "out/run.yaml"):
            _done((result.summary, result.account, result.grey_scale))
        else:
            kept = [name for name, one in QUANTITIES.items() if is_stored(one)]
            for name in [name for name in kept if f"/{name}." in file]:
                result.quantity(name)
    except (XctError, DamagedFile):
        return


@refusing
def noted(place: Path) -> None:
    """Read all that the journal of a result notes."""
    folder = OutputFolder(place / "out")
    _done((folder.journal.sealed(), folder.journal.damaged()))
    _read_notes(folder)


def _read_notes(folder: OutputFolder) -> None:
    folder.is_finished()
    for prefix in ("slab", "measured"):
        folder.notes(prefix)
    for name in ("warnings", "meter", "numbers", "input-times"):
        folder.number(name)


def claimed(place: Path, as_it_was: Path) -> None:
    """Verify a result, check its configuration, and begin to go on as `xct run` does."""
    verified(place)
    folder = OutputFolder(place / "out")
    try:
        folder.claim(_identity(as_it_was), restart=False)
        _read_notes(folder)
    except XctError:
        return


@lru_cache(1)
def _identity(place: Path) -> dict[str, Any]:
    identity = OutputFolder(place / "out").identity()
    assert identity is not None  # of a result that a run has made
    return identity


_BY_THEMSELVES: Mapping[str, Read] = {
    "table.csv": refusing(lambda place: _done(read_table(place / "table.csv"))),
    "rois.yaml": refusing(lambda place: _done(read_rois(place / "rois.yaml"))),
    "classifier.npz": refusing(lambda place: _done(read_classifier(place / "classifier.npz"))),
}


def _done(_: object) -> None:
    """Nothing: what was read is not wanted."""


def write_inputs(folder: Path) -> None:
    """Write a small scan of every layout, a volume, a result, and files of every other kind."""
    for layout in ("dxchange", "nxtomo", "p05", "tiff"):
        place = folder / layout
        write_phantom(
            "ncm-0", place, shape=_SHAPE, angles=12, layout=layout, pipeline="reconstruct"
        )
        truth = place / "truth"
        if layout == "dxchange":
            (folder / "zarr").mkdir()
            copytree(truth / "volume.zarr", folder / "zarr" / "volume.zarr")
            shutil.rmtree(folder / "zarr" / "volume.zarr" / "labels")
            (folder / "zarr" / "config.yaml").write_text(
                "volume: {file: volume.zarr}\npipeline: analyze\noutput: out\n", encoding="utf-8"
            )
            (folder / "files").mkdir()
            shutil.copy(truth / "rois.yaml", folder / "files" / "rois.yaml")
            shutil.copy(truth / "tables" / "particles.csv", folder / "files" / "table.csv")
        rmtree(truth)
    write_example_classifier(folder / "files" / "classifier.npz")
    copytree(folder / "dxchange", folder / "result")
    copytree(folder / "zarr", folder / "measured")
    for place in (folder / "result", folder / "measured"):
        execute(["run", str(place / "config.yaml"), "--set", f"output={place / 'out'}"])


def write_example_classifier(path: Path) -> None:
    """Write a classifier that learnt from noise."""
    look = Look()
    samples = np.random.default_rng(0).normal(size=(20, look.count)).astype(np.float32)
    write_classifier(path, PixelClassifier(look, samples, np.arange(20, dtype=np.uint8) % 2 + 1))
