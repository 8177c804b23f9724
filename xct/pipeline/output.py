"""The output folder of a run: whose it is, what is finished, and what of it is still whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xct.errors import ConfigError
from xct.figures import panel_letters
from xct.io.figures import save_figure
from xct.io.journal import ENDING, Journal, files_below
from xct.pipeline.identity import FORMAT, continues, reasons
from xct.pipeline.lock import Held, locked
from xct.quantity import QUANTITIES, files_of
from xct.report.of_run import REPORT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STATE = ".xct"  # journal of the run, and the lock
_FILES = {"summary.json", "run.yaml", "run.log", REPORT}
_FOLDERS = {"figures", "tables", _STATE}
_FRAMES = "frames.zarr"  # the temporary copy by rows: it depends on input, roi and bin alone


@dataclass(frozen=True)
class OutputFolder:
    """Where a run writes. Finished pieces are noted, so that an interrupted run goes on.

    Attributes
    ----------
    path : Path
        The folder named by the configuration's `output`.
    figures : {"png", "svg", "both", "none"}
        How figures are written.
    """

    path: Path
    figures: str = "both"

    def save_figure(self, figure: Figure, name: str, kind: str | None = None) -> list[Path]:
        """Write a figure, as the configuration asks for it unless told otherwise."""
        chosen = kind or self.figures
        return save_figure(panel_letters(figure), self.path / "figures", name, chosen)

    @property
    def journal(self) -> Journal:
        """What the run noted."""
        return Journal(self.path)

    @property
    def state(self) -> Path:
        """Folder of the journal."""
        return self.journal.folder

    # Whose the folder is.

    def foreign(self) -> list[str]:
        """List what lies in the folder and was not written by xct."""
        if not self.path.is_dir():
            return []
        ours = _products() | _FILES | _FOLDERS
        names = (entry.name for entry in self.path.iterdir())
        return sorted(n for n in names if n not in ours and _target(n) not in ours)

    def links(self) -> list[Path]:
        """List links where xct would write: through them it would change files of others."""
        ours = [self.path / name for name in sorted(_products() | _FILES | _FOLDERS)]
        return [file for place in ours for file in files_below(place) if file.is_symlink()]

    def identity(self) -> dict[str, Any] | None:
        """Read what the run in this folder was asked to do; None where there is none."""
        identity: dict[str, Any] | None = self.number("identity")
        return identity

    def products(self) -> list[str]:
        """List the Zarr products that are there."""
        return sorted(n for n in _products() if n.endswith(".zarr") and (self.path / n).exists())

    def is_continued_by(self, identity: Mapping[str, Any]) -> bool:
        """Whether a run does what the one in this folder did, and more."""
        earlier = self._earlier()
        return earlier is not None and continues(earlier, identity)

    def _earlier(self) -> dict[str, Any] | None:
        """Read the identity of the run in this folder, if this version wrote it."""
        earlier = self.identity() if self.path.is_dir() else None
        is_known = isinstance(earlier, dict) and earlier.get("format") == FORMAT
        return earlier if is_known else None

    def claim(self, identity: Mapping[str, Any], *, restart: bool) -> bool:
        """Make the folder this run's own, and drop what is damaged.

        Parameters
        ----------
        identity : mapping
            Everything that decides the result: input, steps, settings, version.
        restart : bool
            Throw away what an earlier run left.

        Returns
        -------
        bool
            Whether an earlier run is continued.

        Raises
        ------
        ConfigError
            If the folder holds another run, or files that xct did not write.
        """
        errors = self.conflicts(identity, restart=restart)
        if errors:
            raise ConfigError(*errors)
        now = json.loads(json.dumps(identity))
        earlier = None if restart else self._earlier()
        resumed = earlier == now or (earlier is not None and continues(earlier, now))
        self.state.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        if not resumed or earlier is None:
            self._clear(keep_frames=earlier is not None and _same_frames(earlier, now))
        elif earlier["steps"] != now["steps"]:  # slices of fewer steps are others
            self._clear(keep_frames=True)
            resumed = False
        else:
            self.journal.drop_damaged()
        if earlier != now:
            self.journal.reopen()
            if resumed and earlier is not None and earlier["keep"] != now["keep"]:
                self.forget("slab")  # slabs are made again for what is kept besides
            self.note("identity", now)
        return resumed

    def unfit(self) -> list[str]:
        """Say why nothing can be written here, whatever the run."""
        place = f"output: {self.path}"
        if self.path.is_symlink() and not self.path.exists():
            return [f"{place}: is a link that leads nowhere; name another output"]
        if self.path.exists() and not self.path.is_dir():
            return [f"{place}: is a file, not a folder; name another output"]
        if in_the_way := next((p for p in self.path.parents if p.is_file()), None):
            return [f"{place}: {in_the_way} is a file, not a folder; name another output"]
        if not _may_write(self.path):
            return [f"{place}: may not be written to; choose another output or ask for permission"]
        foreign = self.foreign()
        if foreign:
            named = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
            return [f"{place}: holds files that xct did not write ({named}); name another output"]
        links = self.links()
        if links:
            link = links[0]
            return [
                f"{place}: {link.relative_to(self.path)} is a link to {os.readlink(link)}, and "
                "xct would write through it; remove the link, or name another output"
            ]
        strange = [entry.name for entry in self.journal.entries() if not _is_of_journal(entry.name)]
        if strange:
            return [
                f"{place}: its folder {_STATE} holds files that xct did not write "
                f"({', '.join(sorted(strange)[:3])}); name another output"
            ]
        return []

    def conflicts(self, identity: Mapping[str, Any], *, restart: bool) -> list[str]:
        """Say what stands against writing a run into this folder."""
        errors = self.unfit()
        if errors or restart or not self.path.is_dir():
            return errors
        earlier = self.identity()
        if earlier is None and (self.products() or (self.path / "summary.json").exists()):
            return [
                f"output: {self.path}: holds results of unknown origin; --restart replaces them"
            ]
        if earlier is None or not self.products() or self.is_continued_by(identity):
            return []
        if self._earlier() is None:
            return [
                f"output: {self.path}: holds a result of an earlier xct, which opens as before "
                "but cannot be continued; name another output, or --restart to replace it"
            ]
        changed = reasons(earlier, json.loads(json.dumps(identity)))
        return [
            f"output: {self.path}: holds another run, which differs in {'; '.join(changed[:4])}; "
            "name another output, or --restart to replace it"
        ]

    def _clear(self, *, keep_frames: bool) -> None:
        """Remove what xct wrote, and nothing else; first what says that it is finished."""
        for name in (ENDING, "identity"):
            (self.state / f"{name}.json").unlink(missing_ok=True)
        for entry in self.journal.entries():
            is_frames = entry.name == _FRAMES or entry.name.startswith("frames-")
            if entry.name != "lock" and not (keep_frames and is_frames):
                _remove(entry)
        for name in sorted({*_products(), *_FILES, "tables"}):
            _remove(self.path / name)
        for figure in {name for quantity in QUANTITIES.values() for name in quantity.figures}:
            for ending in ("png", "svg"):
                _remove(self.path / "figures" / f"{figure}.{ending}")

    def _remove_leftovers(self) -> None:
        """Remove what writers left that were killed."""
        left = [entry for entry in self.path.iterdir() if _target(entry.name)]
        for name in ("figures", "tables"):
            left += [entry for entry in _below(self.path / name) if _target(entry.name)]
        for name in (_STATE, *_products()):
            left += [e for e in _below(self.path / name) if e.name.endswith(".partial")]
        for entry in left:
            _remove(entry)

    @contextmanager
    def locked(self) -> Iterator[Held]:
        """Keep other runs out; the lock of a process, or a host, that has died is free.

        Raises
        ------
        ConfigError
            If another run is writing here; the message names its host and process.
        """
        if self.state.is_symlink() or (self.state / "lock").is_symlink():
            raise ConfigError(*self.unfit())
        self.state.mkdir(parents=True, exist_ok=True)
        with locked(self.state / "lock", self.path) as held:
            yield held

    def is_finished(self) -> bool:
        """Return whether a run came to its end here, and all that it wrote is still whole."""
        ended = self.number(ENDING) is not None and (self.path / "summary.json").is_file()
        return ended and not self.journal.damaged()

    def note(self, name: str, value: Any, files: Iterable[Path] = ()) -> None:
        """Note a number or a finished piece in the journal, and the files that it made."""
        self.journal.write(name, value, files)

    def number(self, name: str) -> Any:
        """Read a note; None where there is none.

        Raises
        ------
        ConfigError
            If the note cannot be read.
        """
        return self.journal.read(name)

    def notes(self, prefix: str) -> dict[int, Any]:
        """Read all notes named ``prefix-NUMBER``, by number."""
        return self.journal.pieces(prefix)

    def forget(self, prefix: str) -> None:
        """Remove all notes named ``prefix-NUMBER``."""
        self.journal.forget(prefix)

    def begin_again(self, products: Sequence[str]) -> None:
        """Forget what slabs made and what was estimated for them; the copy of the frames stays."""
        self.forget("slab")
        self.journal.forget_products([f"{name}.zarr" for name in products])
        for name in ("frames", "numbers", "coding"):
            (self.state / f"{name}.json").unlink(missing_ok=True)

    def finish(self, products: Sequence[str], files: Iterable[Path] = ()) -> None:
        """Note that the run ended; what a longer run needs to go on stays in the journal."""
        for path in self.journal.entries():
            is_kept = path.suffix == ".json" and not path.name.startswith("frames-")
            if path.name != "lock" and not is_kept:
                _remove(path)
        self.note(ENDING, {"time": _now(), "products": list(products)}, files)


def _products() -> set[str]:
    """Name what quantities leave in the folder of a result."""
    return files_of(list(QUANTITIES.values()))


def _target(name: str) -> str | None:
    """Name what a killed writer was writing: `.surfaces.zarr.partial`; None of other files."""
    found = re.fullmatch(r"\.(.+?)(\.\d+(-\d+)?)?\.partial", name)
    return None if found is None else found[1]


def _is_of_journal(name: str) -> bool:
    return name == "lock" or name.endswith((".json", ".zarr", ".partial"))


def _below(place: Path) -> list[Path]:
    """List everything below a folder, folders included; links are not followed."""
    if place.is_symlink() or not place.is_dir():
        return []
    found = [Path(f) / n for f, folders, names in os.walk(place) for n in (*folders, *names)]
    return sorted(found)


def _same_frames(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the frames that an earlier run copied are those that this one needs."""
    keys = ("input", "roi", "bin", "projections", "flats", "darks", "left_out")
    return all(earlier.get(key) == now.get(key) for key in keys)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _may_write(path: Path) -> bool:
    for folder in (path, *path.parents):
        if folder.exists():
            return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return False
