"""Damage to a file, by bytes and by what stands in it. In: a file and a seed; out: it is changed.

Bytes of any file are flipped, cut and written over. Half of the times, where the kind of file
allows it, what it holds is changed instead: an object of an HDF5 file gets another type, shape or
link, such as a size that no disk holds; a word of a text becomes another; an array of an archive
another one.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

_HUGE = 2**34
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
_WORDS = (
    "nan", "-1", "0", "1e999", "-1e999", "1e-320", "99999999999999999999", "null", "true", "~",
    "[]", "{}", "[[]]", "''", '""', "text", "2001-01-01", "&a", "*a", "!!float x", "0x10", "1_0",
    "\u00b5", "\u202e", "x" * 300, "../..", "/dev/null", "=1+1", ";", "\t", "NaN", "Infinity",
)  # fmt: skip
_WORD = re.compile(r"[^\s,:\[\]{}\"']+")
_TEXTS = (".yaml", ".json", ".csv", ".txt")


def damage(file: Path, rng: np.random.Generator) -> None:
    """Change some of a file: half of the times by what stands in it, where its kind is known."""
    inside = _INSIDE.get(file.suffix)
    if inside is not None and rng.random() < 0.5:
        inside(file, rng)
    else:
        _change_bytes(file, rng)


def _change_bytes(file: Path, rng: np.random.Generator) -> None:
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


def _change_word(file: Path, rng: np.random.Generator) -> None:
    text = file.read_text(encoding="utf-8")
    words = list(_WORD.finditer(text))
    if words:
        first, stop = words[rng.integers(len(words))].span()
        text = text[:first] + _WORDS[rng.integers(len(_WORDS))] + text[stop:]
    file.write_text(text, encoding="utf-8")


def _change_array(file: Path, rng: np.random.Generator) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[rng.integers(len(members))]
    old = np.load(io.BytesIO(members[name]), allow_pickle=False)
    others = [
        old[..., None], old.ravel()[:0], old.ravel()[::2], np.float16(3), np.array("text"),
        np.full(old.shape, np.nan), np.full(old.shape, 1e300), np.zeros(old.shape, "c8"),
        np.zeros(old.shape, "S3"), np.full(old.shape, -1), None,
    ]  # fmt: skip
    other = others[rng.integers(len(others))]
    if other is None:
        del members[name]
    else:
        held = io.BytesIO()
        np.save(held, other)
        members[name] = held.getvalue()
    with zipfile.ZipFile(file, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)


def _change_object(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as file:
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


_INSIDE: dict[str, Callable[[Path, np.random.Generator], None]] = {
    ".h5": _change_object,
    ".nxs": _change_object,
    ".npz": _change_array,
    **dict.fromkeys(_TEXTS, _change_word),
}
