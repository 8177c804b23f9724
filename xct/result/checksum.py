"""Whether a result is still the one that it was. In: its folder; out: a checksum."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from xct.io.journal import DamagedNote, read_note


def result_checksum(path: Path) -> str:
    """Give a checksum of what was measured in a result: numbers, tables and what it did."""
    digest = sha256()
    files = [*path.glob("*.json"), *(path / "tables").glob("*.csv")]
    for file in sorted(files):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    try:
        note = read_note(path / ".xct" / "identity.json")
    except DamagedNote:
        note = None
    digest.update(json.dumps(None if note is None else note.value).encode())
    return digest.hexdigest()[:16]
