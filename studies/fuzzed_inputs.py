"""Damaged inputs of every kind: each must be refused in words, soon, and without much memory.

In: files that can be read, and a seed; out: what ended in an exception, took longer than 10 s, or
wanted more than 2 GiB. Bytes are flipped, cut and written over; HDF5 objects are given other
types, shapes and links as well, such as sizes that no disk holds.

``python -m studies.fuzzed_inputs OUT`` takes hours and goes on where it was.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import click
import h5py
import numpy as np
import psutil

from xct.analyze.roi.files import read_rois
from xct.cli.main import execute
from xct.errors import XctError
from xct.io.tables import read_table
from xct.phantom.writing import write_phantom
from xct.segment.material.classifier import PixelClassifier
from xct.segment.material.classifier_files import read_classifier, write_classifier
from xct.segment.material.pixel_features import Look

MOST_SECONDS = 10
MOST_BYTES = 2 * 2**30
_HUGE = 2**34
_SHAPE = (48, 48, 48)
_CODES = (0, 1, 2)  # of commands that ended in words
_ODD = (
    b"\xff" * 4,
    b"\0" * 4,
    b"[" * 64,
    b"{" * 64,
    b"$" * 3,
    b"\xf0\x9f",
    b"-1",
    b"1e999",
    b"NaN",
)


@dataclass(frozen=True)
class Kind:
    """A kind of input: a folder that can be read, which file is damaged, and who reads it."""

    name: str
    folder: Path
    file: str
    read: Callable[[Path], None]


def checked(place: Path) -> None:
    """Check the configuration of a folder, as a user would."""
    code = execute(["check", str(place / "config.yaml")])
    if code not in _CODES:
        raise RuntimeError(f"exit code {code}")


def verified(place: Path) -> None:
    """Check a result and the configuration that made it."""
    execute(["verify", str(place / "out")])
    checked(place)


def refusing(read: Callable[[Path], object], file: str) -> Callable[[Path], None]:
    """Let a reader refuse a file of a folder in words."""

    def call(place: Path) -> None:
        try:
            read(place / file)
        except XctError:
            return

    return call


READERS: Mapping[str, Callable[[Path], None]] = {
    "scan.h5": checked,
    "config.yaml": checked,
    "table.csv": refusing(read_table, "table.csv"),
    "rois.yaml": refusing(read_rois, "rois.yaml"),
    "classifier.npz": refusing(read_classifier, "classifier.npz"),
}


def faults(kind: Kind, seeds: range, scratch: Path) -> Iterator[tuple[int, str]]:
    """Damage a file once for every seed; yield the seeds at which it was not refused as it must."""
    noted = scratch / "faults.txt"
    first = seeds.start
    while first < seeds.stop:
        noted.write_text("", encoding="utf-8")
        first = _batch(kind, range(first, seeds.stop), scratch, noted)
        for line in noted.read_text(encoding="utf-8").splitlines():
            number, _, why = line.partition(" ")
            yield int(number), why


def _batch(kind: Kind, seeds: range, scratch: Path, noted: Path) -> int:
    """Try seeds in a fork, until one of them ends it; give the first that is left."""
    at = scratch / "at.txt"
    at.write_text(str(seeds.start), encoding="utf-8")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _limit()
            for seed in seeds:
                at.write_text(str(seed), encoding="utf-8")
                signal.alarm(MOST_SECONDS)
                why = _try(kind, seed, scratch / "place")
                signal.alarm(0)
                if why:
                    with noted.open("a", encoding="utf-8") as file:
                        file.write(f"{seed} {why}\n")
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        return seeds.stop
    with noted.open("a", encoding="utf-8") as file:  # by a signal: too long, or a crash
        file.write(f"{at.read_text(encoding='utf-8')} ended the process with {code}\n")
    return int(at.read_text(encoding="utf-8")) + 1


def _limit() -> None:
    size = psutil.Process().memory_info().vms + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _try(kind: Kind, seed: int, place: Path) -> str:
    """Damage and read; give what went wrong, in one line."""
    rmtree(place, ignore_errors=True)
    copytree(kind.folder, place)
    damage(place / kind.file, np.random.default_rng([seed, len(kind.name)]))
    before = sorted(str(file) for file in place.rglob("*"))
    try:
        kind.read(place)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})".replace(
            "\n", " "
        )
    after = sorted(str(file) for file in place.rglob("*"))
    strange = [f for f in {*after} - {*before} if "/out/" not in f and not f.endswith("/out")]
    return f"wrote {strange[0]}" if strange else ""


def damage(file: Path, rng: np.random.Generator) -> None:
    """Change some of a file: of an HDF5 file, half of the times an object."""
    if file.suffix == ".h5" and rng.random() < 0.5:
        with h5py.File(file, "r+") as opened:
            _change_object(opened, rng)
        return
    data = bytearray(file.read_bytes())
    place = int(rng.integers(max(len(data), 1)))
    if rng.random() < 0.5:  # where names, types and sizes stand
        place = int(rng.integers(min(len(data), 4096) or 1))
    kind = rng.integers(5)
    if kind == 0:
        del data[place:]
    elif kind == 1:
        data[place:place] = _ODD[rng.integers(len(_ODD))]
    elif kind == 2:
        odd = _ODD[rng.integers(len(_ODD))]
        data[place : place + len(odd)] = odd
    elif kind == 3:
        del data[place : place + int(rng.integers(1, 64))]
    else:
        for one in rng.integers(max(len(data), 1), size=rng.integers(1, 9)):
            if len(data):
                data[min(int(one), place + int(one) % 64, len(data) - 1)] ^= 1 << rng.integers(8)
    file.write_bytes(data)


def _change_object(file: h5py.File, rng: np.random.Generator) -> None:
    names: list[str] = []
    file.visit(names.append)
    name = names[rng.integers(len(names))]
    old = file[name]
    attributes = dict(old.attrs) if isinstance(old, h5py.Dataset) else {}
    if rng.random() < 0.25 and isinstance(old, h5py.Dataset):
        old.attrs["units"] = _odd_values(rng)
        return
    shape = old.shape if isinstance(old, h5py.Dataset) else ()
    del file[name]
    kind = rng.integers(7)
    if kind == 0:
        file[name] = h5py.SoftLink(f"/{name}" if rng.random() < 0.5 else "/nowhere")
    elif kind == 1:
        file[name] = h5py.ExternalLink("/etc/passwd", "/")
    elif kind == 2:
        file.create_group(name)
    elif kind == 3:
        rank = int(rng.integers(1, 6))
        huge = [1] * rank
        huge[rng.integers(rank)] = _HUGE
        chunks = tuple(min(n, 1024) for n in huge)
        file.create_dataset(name, tuple(huge), "u2", chunks=chunks, compression="gzip")
    elif kind == 4:
        file[name] = _odd_values(rng)
    else:
        other = [shape[::-1], (0,), (), (*shape, 2), shape[:-1], (3,)][rng.integers(6)]
        dtype = ["f2", "c8", "S3", "i8", "?", "f8"][rng.integers(6)]
        file.create_dataset(name, other, dtype)
    if name in file and kind not in (0, 1):
        file[name].attrs.update(attributes)


def _odd_values(rng: np.random.Generator) -> Any:
    values = [
        "text", b"\xff\xfe", np.nan, np.inf, -1, 1e300, [np.nan] * 5, ["a", "b"], h5py.Empty("f4"),
        np.zeros(3, [("a", "f4"), ("b", "S2")]), 2**63, "", [[]],
    ]  # fmt: skip
    return values[rng.integers(len(values))]


def campaign(kinds: list[Kind], out: Path, count: int) -> int:
    """Try `count` seeds of every kind; give the number of faults. What is in `out` stays done."""
    log = out / "fuzzed.jsonl"
    known = (
        [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        if log.exists()
        else []
    )
    done = {(each["kind"], each["first"]) for each in known}
    found = sum(len(each["faults"]) for each in known)
    for first in range(0, count, 100):
        for kind in kinds:
            if (kind.name, first) in done:
                continue
            listed = list(faults(kind, range(first, first + 100), out))
            found += len(listed)
            with log.open("a", encoding="utf-8") as file:
                entry = {"kind": kind.name, "first": first, "faults": listed}
                file.write(json.dumps(entry) + "\n")
    return found


def kinds_below(folder: Path) -> list[Kind]:
    """List what can be damaged in folders of inputs; of files that differ in numbers, one."""
    found: dict[str, Kind] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        for file in sorted(path for path in place.rglob("*") if path.is_file()):
            name = file.relative_to(place).as_posix()
            reader = verified if name.startswith("out/") else READERS.get(name, checked)
            alike = f"{place.name}/{re.sub('[0-9]+', 'N', name)}"
            if file.name not in ("run.log", "lock"):
                found.setdefault(alike, Kind(alike, place, name, reader))
    return list(found.values())


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
    config = folder / "result" / "config.yaml"
    execute(["run", str(config), "--set", f"output={folder / 'result' / 'out'}"])


def write_example_classifier(path: Path) -> None:
    """Write a classifier that learnt from noise."""
    look = Look()
    samples = np.random.default_rng(0).normal(size=(20, look.count)).astype(np.float32)
    write_classifier(path, PixelClassifier(look, samples, np.arange(20, dtype=np.uint8) % 2 + 1))


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--count", default=1000, show_default=True, help="Seeds of every file.")
def main(out: Path, count: int) -> None:
    """Damage inputs of every kind; those that are not refused as they must be are listed in OUT."""
    out.mkdir(parents=True, exist_ok=True)
    inputs = out / "inputs"
    if not (inputs / "result" / "out").is_dir():
        rmtree(inputs, ignore_errors=True)
        write_inputs(inputs)
    found = campaign(kinds_below(inputs), out, count)
    click.echo(f"{found} inputs were not refused as they must be: see {out / 'fuzzed.jsonl'}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(prog_name="python -m studies.fuzzed_inputs")
