"""Scans as the beamline finishes them. In: a folder that fills; out: scans that are whole."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xct.config.loading import read_text
from xct.config.rewrite import rewrite_config
from xct.errors import ConfigError, XctError
from xct.io.atomic import write_text
from xct.io.scans.recognize import read_raw
from xct.io.yaml import parse

log = logging.getLogger("xct")

_LOOKS = 12  # within the time for which a scan must not change
_LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True)
class _Files:
    """What a scan's files look like from outside: any change is a sign that it is written to."""

    number: int
    size: int
    changed_ns: int


class Arrivals:
    """Scans directly in a folder, each given once, when its files no longer change.

    Parameters
    ----------
    folder : Path
        Where the beamline writes: each scan is a file, or a folder of its own. Links are not
        followed.
    settled_s : float
        For how long the files of a scan must be as they are.
    clock : callable, optional
        Seconds since some time; the files' own times are those of another machine.
    """

    def __init__(
        self, folder: Path, settled_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._settled_s, self._clock = folder, settled_s, clock
        self._seen: dict[Path, tuple[_Files, float]] = {}
        self._given: set[Path] = set()
        self._refused: dict[Path, _Files] = {}

    def look(self) -> list[Path]:
        """Give the scans that have become whole since the last look, the oldest first."""
        whole = []
        for entry in self._entries():
            files, now = _files_of(entry), self._clock()
            before, since = self._seen.get(entry, (None, now))
            if files != before:
                self._seen[entry] = files, now
                since = now
            if now - since < self._settled_s or self._refused.get(entry) == files:
                continue
            if self._is_scan(entry, files):
                whole.append((files.changed_ns, entry))
                self._given.add(entry)
        return [entry for _, entry in sorted(whole)]

    def _entries(self) -> list[Path]:
        try:
            with os.scandir(self._folder) as found:
                names = [one.name for one in found if not one.is_symlink() and one.name[0] != "."]
        except OSError as error:
            raise XctError(
                f"{self._folder}: {error.strerror}: name the folder that fills"
            ) from None
        return sorted({self._folder / name for name in names} - self._given)

    def _is_scan(self, entry: Path, files: _Files) -> bool:
        """Whether it can be read; what cannot is said once, and tried again when it changes."""
        try:
            read_raw(entry)
        except (XctError, OSError) as error:
            log.info("%s: no scan, or not yet: %s", entry.name, error)
            self._refused[entry] = files
            return False
        return True


def _files_of(entry: Path) -> _Files:
    """Count the files of a scan, without following links."""
    number = size = changed = 0
    places = [entry]
    while places:
        place = places.pop()
        try:
            if place.is_dir():
                with os.scandir(place) as found:
                    places += [Path(one) for one in found if not one.is_symlink()]
                continue
            status = place.stat()
        except OSError:  # moved meanwhile: the next look sees what is there then
            continue
        number, size = number + 1, size + status.st_size
        changed = max(changed, status.st_mtime_ns)
    return _Files(number, size, changed)


def arrivals(
    folder: Path,
    settled_s: float,
    idle_s: float = float("inf"),
    pause: Callable[[float], Any] = time.sleep,
) -> Iterator[Path]:
    """Give scan after scan as they become whole, until none has come for a while.

    Parameters
    ----------
    folder : Path
        Where the beamline writes.
    settled_s : float
        For how long the files of a scan must be as they are.
    idle_s : float, optional
        How long to wait for the next one.
    pause : callable, optional
        Waits some seconds.
    """
    watched, last = Arrivals(folder, settled_s), time.monotonic()
    while time.monotonic() - last < idle_s + settled_s:
        for scan in watched.look():
            yield scan
            last = time.monotonic()
        pause(min(settled_s / _LOOKS, _LONGEST_PAUSE_S))


def configuration_for(scan: Path, template: Path) -> Path:
    """Write the configuration of a scan beside that of another, unless there is one already.

    Parameters
    ----------
    scan : Path
        The scan.
    template : Path
        A configuration whose settings hold for every scan; its ``output`` holds all results.

    Returns
    -------
    Path
        ``TEMPLATE_SCAN.yaml``. One that is there is left as it is: it may have been edited.

    Raises
    ------
    ConfigError
        If the template is of no scan or names no output, or the file is that of another scan.
    """
    name = scan.name if scan.is_dir() else scan.stem
    path = template.with_name(f"{template.stem}_{name}.yaml")
    settings = read_template(template)
    if path.exists():
        return _of_this_scan(path, scan)
    changes: dict[str, Any] = {
        "scan.file": str(scan.absolute()),
        "output": str(Path(str(settings["output"])) / name),
    }
    if isinstance(settings.get("cell"), Mapping):
        changes["cell.name"] = name
    try:
        write_text(path, read_text(template))
        rewrite_config(path, changes)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def read_template(template: Path) -> Mapping[str, Any]:
    """Read the configuration that holds for all scans.

    Raises
    ------
    ConfigError
        If it is of no scan, or names no output.
    """
    settings: Any = parse(read_text(template)).value
    scan = settings.get("scan") if isinstance(settings, Mapping) else None
    if not isinstance(scan, Mapping) or "file" not in scan:
        raise ConfigError(
            f"{template}: scan.file: expected the configuration of one scan, such as `xct init` "
            "writes; every other scan is run in its place"
        )
    if not settings.get("output"):
        raise ConfigError(f"{template}: output: expected the folder that is to hold all results")
    return dict(settings)


def _of_this_scan(path: Path, scan: Path) -> Path:
    """Give a configuration that is there already; it may have been edited since."""
    file = (read_template(path)["scan"] or {}).get("file")
    if not isinstance(file, str) or (path.parent / file).resolve() != scan.resolve():
        raise ConfigError(
            f"{path} is the configuration of another scan, {file}: rename that file, or this scan"
        )
    return path
