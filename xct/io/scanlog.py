"""scan.log of P05. In: its text; out: facts, and the frames that it lists, if it does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from xct.errors import ScanError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_FACT = re.compile(r"([A-Za-z_]\w*)\s*[=:]\s*(.+)")
# dark /gpfs/…/scan00000.dar; img /gpfs/…/scan00012.img  0.45000 (the angle)
_FRAME = re.compile(rf"(dark|dar|ref|img)\s+(\S*\d\S*)(?:\s+({_NUMBER}))?")
# @1480217687541[99.99254@1480217687487]: when it was asked, the ring current, when it was read
_CURRENT = re.compile(rf"@(\d+)\[({_NUMBER})@\d+\]")
_LIST = ("angle_list",)
_FIRST = ("angle_start", "angle_first", "start_angle")
_LAST = ("angle_stop", "angle_last", "angle_end", "stop_angle", "end_angle")
_RANGE = ("angle_range", "rotation")


@dataclass(frozen=True)
class LoggedFrame:
    """One frame as the log lists it, in order of time.

    Attributes
    ----------
    kind : {"projections", "flats", "darks"}
    name : str
        Its file as the log has it, without folder and extension.
    angle_deg, current_ma, time_ms : float
        NaN where the log does not say it; the current is the mean of the readings before and
        after the frame, the time that of the reading before it.
    """

    kind: str
    name: str
    angle_deg: float = np.nan
    current_ma: float = np.nan
    time_ms: float = np.nan


@dataclass
class ScanLog:
    """What a log says: every value of each key as written, and the frames it lists."""

    file: Path
    image_log: Path | None = None
    facts: dict[str, list[str]] = field(default_factory=dict)
    frames: list[LoggedFrame] = field(default_factory=list)

    def number(self, *names: str) -> float | None:
        """Get the first number that stands at one of the names.

        Raises
        ------
        ScanError
            If a key stands in the log several times with different numbers.
        """
        for name in names:
            found = [re.match(_NUMBER, text) for text in self.facts.get(name, ())]
            values = {float(match.group()) for match in found if match}
            if len(values) > 1:
                listed = " and ".join(f"{value:g}" for value in sorted(values))
                raise ScanError(f"{self.file}: {name} stands there several times, as {listed}")
            if values:
                return values.pop()
        return None

    def numbers(self, *names: str) -> np.ndarray | None:
        """Get the list of numbers that stands at one of the names."""
        for name in names:
            for text in self.facts.get(name, ()):
                found = re.findall(_NUMBER, text)
                if found:
                    return np.array(found, np.float64)
        return None

    def angles(self, count: int) -> np.ndarray | None:
        """Work out the angles of `count` projections, in degrees, where the log gives them.

        They are listed, or given by first and last (included), or by their range and the
        number of steps `n_angle`. None where it says none of these: nothing is guessed.
        """
        listed = self.numbers(*_LIST)
        if listed is not None and len(listed) == count:
            return listed
        first, last = self.number(*_FIRST), self.number(*_LAST)
        if first is not None and last is not None:
            return np.linspace(first, last, count)
        span, steps = self.number(*_RANGE), self.number("n_angle")
        if span is None or steps not in (count, count - 1) or not steps:
            return None
        return (first or 0.0) + np.arange(count) * (span / steps)


_KINDS = {"dark": "darks", "dar": "darks", "ref": "flats", "img": "projections"}


def read_log(file: Path) -> ScanLog:
    """Read a scan.log, and the image.log beside it, if there is one.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    log = ScanLog(file)
    _parse(_text(file), log)
    image_log = file.with_name(file.name[: -len("scan.log")] + "image.log")
    if image_log.is_file():
        log.image_log = image_log
        _parse(_text(image_log), log)
    return log


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        raise ScanError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ScanError(f"{path}: cannot be read: {error.strerror}") from None


def _parse(text: str, log: ScanLog) -> None:
    reading = waiting = None  # the last reading of the current, a frame that waits for the next
    for line in map(str.strip, text.splitlines()):
        current, frame = _CURRENT.fullmatch(line), _FRAME.fullmatch(line)
        if current:
            time_ms, value = float(current[1]), float(current[2])
            if waiting is not None and reading is not None:
                mean = (reading[1] + value) / 2
                log.frames.append(LoggedFrame(*waiting, mean, reading[0]))
                waiting = None
            reading = time_ms, value
        elif frame:
            if waiting is not None:
                log.frames.append(LoggedFrame(*waiting))
            name = PurePosixPath(frame[2]).stem
            waiting = _KINDS[frame[1]], name, float(frame[3] or "nan")
        elif not line.startswith(("*", "#", "@", "/")) and (fact := _FACT.fullmatch(line)):
            log.facts.setdefault(fact[1].lower(), []).append(fact[2])
    if waiting is not None:
        log.frames.append(LoggedFrame(*waiting))
