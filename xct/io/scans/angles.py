"""Angles that the user gives, or that a file gives per frame. Out: one angle per projection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ScanError
from xct.io.atomic import read_small


def given_angles(theta_deg: Any) -> np.ndarray:
    """Make angles from what a configuration says.

    Parameters
    ----------
    theta_deg : mapping, path or sequence of numbers
        ``{first, last, count}`` with the last included; a text file; ``{file, column}`` where
        it has several columns (a number from 0, or a name from its first line); or the angles.

    Returns
    -------
    ndarray of float64, shape (angle,)
        Degrees.

    Raises
    ------
    ScanError
        If it is none of these, or a file that holds something else.
    """
    if isinstance(theta_deg, Mapping):
        if {"first", "last", "count"} == set(theta_deg):
            return _even_angles(**theta_deg)
        if "file" in theta_deg and set(theta_deg) <= {"file", "column"}:
            return _angles_from_text(Path(theta_deg["file"]), theta_deg.get("column"))
        raise ScanError(
            f"theta_deg has the keys {', '.join(map(str, theta_deg))}; expected first, last and "
            "count (the last angle is included), or file and column"
        )
    if isinstance(theta_deg, str | Path):
        return _angles_from_text(Path(theta_deg), None)
    try:
        return np.asarray(theta_deg, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise ScanError(
            f"theta_deg = {theta_deg!r} is neither {{first, last, count}}, nor a file, "
            "nor a list of numbers"
        ) from None


def _even_angles(first: float, last: float, count: int) -> np.ndarray:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ScanError(f"theta_deg: count = {count!r}; expected a whole number of angles")
    return np.linspace(first, last, count)


def _angles_from_text(file: Path, column: int | str | None) -> np.ndarray:
    try:
        lines = read_small(file).decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ScanError(f"theta_deg: there is no file {file}") from None
    except (OSError, ValueError) as error:
        raise ScanError(f"theta_deg: {file} is no text file ({error})") from None
    rows = [
        (number, cells)
        for number, line in enumerate(lines, start=1)
        if (cells := line.split("#")[0].replace(",", " ").replace(";", " ").split())
    ]
    names = rows.pop(0)[1] if rows and not all(map(_is_number, rows[0][1])) else []
    if not rows:
        raise ScanError(f"theta_deg: {file} holds no angles; expected one per line, in degrees")
    place = _place(file, names, len(rows[0][1]), column)
    for number, cells in rows:
        if len(cells) <= place or not _is_number(cells[place]):
            raise ScanError(f"theta_deg: {file}, line {number}: no angle in {' '.join(cells)!r}")
    return np.array([float(cells[place]) for _, cells in rows])


def _place(file: Path, names: list[str], width: int, column: int | str | None) -> int:
    """Find the place of the angles in each line."""
    if column is None and width == 1:
        return 0
    if column is None:
        raise ScanError(
            f"theta_deg: {file} has {width} columns; say which one holds the angles: "
            "theta_deg: {file: ..., column: 0}"
        )
    if isinstance(column, str):
        if column not in names:
            known = ", ".join(names) or "no names in its first line"
            raise ScanError(f"theta_deg: {file} has no column {column!r}; it has {known}")
        return names.index(column)
    if not 0 <= column < width:
        raise ScanError(
            f"theta_deg: {file} has {width} columns, so column {column} does not exist "
            "(the first is 0)"
        )
    return column


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def angles_of_projections(
    angles: np.ndarray, keys: np.ndarray, where: str, source: str = ""
) -> np.ndarray:
    """Pick the angles of projections out of angles that may count other frames, too.

    Parameters
    ----------
    angles : ndarray
        One per projection, per projection and flat, or per frame.
    keys : ndarray of int, shape (frame,)
        What each frame is, in order of time: 0 projection, 1 flat, 2 dark, others left out.
    where : str
        What to call the angles in a message.
    source : str, optional
        What to call the file.

    Returns
    -------
    ndarray, shape (projection,)

    Raises
    ------
    ScanError
        If their number fits none of these.
    """
    projections = int(np.sum(keys == 0))
    beam = np.isin(keys, (0, 1))
    valid = np.isin(keys, (0, 1, 2))
    if len(angles) == projections:
        return angles
    for counted in (beam, valid, np.ones_like(valid)):
        if len(angles) == counted.sum():
            return np.asarray(angles[keys[counted] == 0])
    start = f"{source}: " if source else ""
    raise ScanError(
        f"{start}{where} has {len(angles)} angles, but there are {projections} projections "
        f"({beam.sum()} with flats, {len(keys)} frames in all); give scan.theta_deg with "
        f"{projections} angles"
    )
