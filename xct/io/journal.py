"""Notes that show damage, and seals of files. In: what a run finished; out: whether it is whole.

A note is a JSON file with its own checksum. It may vouch for files: their sizes, times and
checksums stand in it. Chunks of Zarr arrays end with a checksum of their own (crc32c), so that
every read checks them; of them only size and time are noted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xct.errors import ConfigError
from xct.io.atomic import write_text

_CHUNK = re.compile(r"/c(/\d+)+$")  # of a Zarr array
_READ_BYTES = 4 * 2**20  # bytes of a file in memory at a time
_PIECE = re.compile(r"(frames|slab|measured)-\d+")  # what can be made again by itself
_PRODUCT = "made-"  # notes of Zarr products: their metadata, without which no piece can be read
_DAMAGED = "damaged"  # what was found by reading everything; the next run makes it anew
ENDING = "finished"


class DamagedNote(ConfigError):
    """A note that cannot be read, or is not what was written."""


def checksum(data: bytes, value: int = 0) -> int:
    """Continue a CRC-32C (Castagnoli) with some bytes."""
    import google_crc32c

    return int(google_crc32c.extend(value, data))


def checksum_of(path: Path) -> int:
    """Compute the CRC-32C of a file."""
    value = 0
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            value = checksum(data, value)
    return value


@dataclass(frozen=True)
class Seal:
    """What is known of a file that was finished.

    Attributes
    ----------
    size : int
        Bytes.
    time_ns : int
        When it was last written to; another time has the content checked.
    sum : int or None
        CRC-32C; None of a chunk that ends with its own.
    """

    size: int
    time_ns: int
    sum: int | None

    @classmethod
    def of(cls, path: Path) -> Seal:
        """Seal a file as it is."""
        found = path.stat()
        own = _CHUNK.search(path.as_posix())
        return cls(found.st_size, found.st_mtime_ns, None if own else checksum_of(path))

    def holds(self, path: Path, *, thorough: bool = False) -> bool:
        """Whether a file is as it was sealed; its content is read where its time changed."""
        try:
            found = path.lstat()
            if found.st_size != self.size or not path.is_file() or path.is_symlink():
                return False
            if found.st_mtime_ns == self.time_ns and not thorough:
                return True
            return _ends_with_its_sum(path) if self.sum is None else checksum_of(path) == self.sum
        except OSError:
            return False


def with_checksum(codec: Any) -> list[Any]:
    """Give the codecs of an array whose chunks show damage when they are read."""
    from zarr.codecs import Crc32cCodec

    return [codec, Crc32cCodec()]


def _ends_with_its_sum(path: Path) -> bool:
    data = path.read_bytes()
    return len(data) >= 4 and checksum(data[:-4]) == int.from_bytes(data[-4:], "little")


@dataclass(frozen=True)
class Note:
    """A note as it was read: its value, and the files that it vouches for, by relative path."""

    value: Any
    files: Mapping[str, Seal]

    def damaged(self, folder: Path, *, thorough: bool = False) -> list[str]:
        """List the files that are missing, or not as they were."""
        return [
            name
            for name, seal in self.files.items()
            if not seal.holds(folder / name, thorough=thorough)
        ]


def write_note(path: Path, value: Any, folder: Path, files: Iterable[Path] = ()) -> None:
    """Write a note that vouches for files in `folder`."""
    seals = {f.relative_to(folder).as_posix(): Seal.of(f) for f in sorted(set(files))}
    content = {
        "note": value,
        **({"files": {n: [s.size, s.time_ns, s.sum] for n, s in seals.items()}} if seals else {}),
    }
    text = _text(content)
    write_text(path, f'{{"crc32c": {checksum(text.encode())},\n {text[1:]}\n')


def read_note(path: Path) -> Note | None:
    """Read a note; None where there is none.

    Raises
    ------
    DamagedNote
        If it cannot be read, or its checksum does not fit.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(content, dict) or not {"crc32c", "note"} & content.keys():
        return Note(content, {})  # of before notes had checksums
    wanted = content.pop("crc32c", None)
    try:
        found = checksum(_text(content).encode("utf-8", "replace"))
    except ValueError as error:  # NaN, which no note holds
        raise _damaged(path) from error
    if wanted is None or found != wanted:
        raise _damaged(path)
    return Note(content.get("note"), {n: Seal(*s) for n, s in content.get("files", {}).items()})


def _damaged(path: Path) -> DamagedNote:
    return DamagedNote(f"{path}: the journal of an earlier run is damaged; --restart begins anew")


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def files_below(path: Path) -> Iterator[Path]:
    """Walk through the files of a folder, or give the file itself; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        if path.exists() or path.is_symlink():
            yield path
        return
    for folder, folders, names in os.walk(path):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in (*names, *links))


def chunk_files(array: Path, first: int, stop: int, *, axis: int = 0) -> list[Path]:
    """List the chunks of a Zarr array that hold planes first … stop along its axis 0 or 1."""
    metadata = json.loads((array / "zarr.json").read_text(encoding="utf-8"))
    size = metadata["chunk_grid"]["configuration"]["chunk_shape"][axis]
    numbers = range(first // size, -(-stop // size))
    places = [array / "c"] if axis == 0 else sorted((array / "c").glob("*"))
    return [f for place in places for number in numbers for f in files_below(place / str(number))]


@dataclass(frozen=True)
class Journal:
    """The notes of one run, in the folder `.xct` of its result.

    Attributes
    ----------
    result : Path
        The folder of the result.
    """

    result: Path

    @property
    def folder(self) -> Path:
        """Where the notes lie."""
        return self.result / ".xct"

    def entries(self) -> list[Path]:
        """List all that lies in the folder of the journal."""
        return sorted(self.folder.iterdir()) if self.folder.is_dir() else []

    def _notes(self) -> list[Path]:
        return [path for path in self.entries() if path.suffix == ".json"]

    def write(self, name: str, value: Any, files: Iterable[Path] = ()) -> None:
        """Note a number or a finished piece, and the files that it made."""
        write_note(self.folder / f"{name}.json", value, self.result, files)

    def write_product(self, name: str) -> None:
        """Note the metadata of a Zarr product, without which nothing of it can be read."""
        place = self.result / name
        files = [file for file in files_below(place) if file.name == "zarr.json"]
        own = [file for file in files if "labels" not in file.relative_to(place).parts]
        self.write(f"{_PRODUCT}{name}", {}, own)

    def has_product(self, name: str) -> bool:
        """Whether a Zarr product is there, and was made whole."""
        return (self.result / name).is_dir() and self.read(f"{_PRODUCT}{name}") is not None

    def forget_products(self, names: Iterable[str]) -> None:
        """Forget that Zarr products were made: they will be made anew."""
        for name in names:
            (self.folder / f"{_PRODUCT}{name}.json").unlink(missing_ok=True)

    def write_damage(self, files: Sequence[str]) -> None:
        """Note what was found to be damaged: the next run makes it anew."""
        if files:
            self.write(_DAMAGED, list(files))
        else:
            (self.folder / f"{_DAMAGED}.json").unlink(missing_ok=True)

    def read(self, name: str) -> Any:
        """Read a note; None where there is none.

        Raises
        ------
        DamagedNote
            If it cannot be read.
        """
        note = read_note(self.folder / f"{name}.json")
        return None if note is None else note.value

    def pieces(self, prefix: str) -> dict[int, Any]:
        """Read all notes named ``prefix-NUMBER``, by number."""
        paths = sorted(self.folder.glob(f"{prefix}-*.json"))
        names = [path.stem for path in paths if _PIECE.fullmatch(path.stem)]
        return {int(name.rpartition("-")[2]): self.read(name) for name in names}

    def missing_slices(self, depth: int) -> list[int]:
        """List the slices that the run has yet to write; none where no run is unfinished."""
        if self.read("identity") is None or self.read(ENDING) is not None:
            return []
        slabs = self.pieces("slab")
        there = {z for first, note in slabs.items() for z in range(first, note["stop"])}
        return [z for z in range(depth) if z not in there]

    def forget(self, *prefixes: str) -> None:
        """Remove all notes named ``prefix-NUMBER``."""
        for prefix in prefixes:
            for path in self.folder.glob(f"{prefix}-*.json"):
                path.unlink()

    def reopen(self) -> None:
        """Forget that the run ended."""
        (self.folder / f"{ENDING}.json").unlink(missing_ok=True)

    def sealed(self) -> dict[str, int]:
        """Give the size of every file that a note vouches for, by relative path."""
        found: dict[str, int] = {}
        for path in self._notes():
            with suppress(DamagedNote):  # `damaged` names it
                note = read_note(path)
                found |= {} if note is None else {n: s.size for n, s in note.files.items()}
        return found

    def damaged(self, *, thorough: bool = False) -> list[str]:
        """List the files that are missing, or not as they were written.

        Parameters
        ----------
        thorough : bool, optional
            Read the content of every file; otherwise only of those whose time has changed.
        """
        found: set[str] = set()
        for path in self._notes():
            try:
                note = read_note(path)
            except DamagedNote:
                found.add(f".xct/{path.name}")
                continue
            if path.stem == _DAMAGED and note is not None and not thorough:
                found.update(note.value)
            elif note is not None:
                found.update(note.damaged(self.result, thorough=thorough))
        return sorted(found)

    def drop_damaged(self) -> list[str]:
        """Drop pieces that are not whole any more, so that they are made anew; name their files."""
        wrong = self.damaged()
        if not wrong:
            return []
        self.reopen()
        self._drop(wrong, products=True)
        self._drop({*wrong, *self.damaged()}, products=False)  # with a product, its pieces are gone
        (self.folder / f"{_DAMAGED}.json").unlink(missing_ok=True)
        return wrong

    def _drop(self, files: Iterable[str], *, products: bool) -> None:
        for path in self._notes():
            is_piece = _PIECE.fullmatch(path.stem) is not None
            is_product = path.stem.startswith(_PRODUCT)
            if (is_product if products else is_piece) and self._rests_on(path, set(files)):
                if products:
                    shutil.rmtree(self.result / path.stem.removeprefix(_PRODUCT))
                path.unlink()

    def _rests_on(self, path: Path, files: set[str]) -> bool:
        if f".xct/{path.name}" in files:
            return True
        note = read_note(path)
        return note is not None and not files.isdisjoint(note.files)
