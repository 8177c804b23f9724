"""The picture of the house, made from the imports: in: the sources of xct; out: docs/house.svg.

    python docs/draw_house.py

A box is a room: a folder of xct/, or a module beside them. Floors are drawn as LAYERS lists them.
An arrow runs from a room to one that it imports; an import that follows from two others is not
drawn. What goes the wrong way is drawn in red.
"""

import ast
import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
SOURCES = HERE.parent / "xct"

# From the roof to the ground: a room may import what stands below it, and what stands left of it.
LAYERS = {
    "doors": ("plugin", "cli"),
    "comparisons": ("score", "simulate", "render", "study", "bench"),
    "a run": ("config", "pipeline"),
    "before the beamtime": ("phantom", "beamtime"),
    "methods": ("reconstruct", "preprocess", "normalize", "segment", "analyze"),
    "files": ("io", "scan", "report", "result"),
    "declarations": ("figures", "quantity", "stages"),
    "ground": ("errors", "geometry", "physics", "statistics", "parallel"),
}
WIDTH, BOX, HEIGHT, GAP = 764, 138, 76, 14
INK = "#4a6378"
FLOOR, FIRST = 122, 20  # from one floor to the next, and from a floor's ceiling to its boxes


Places = dict[str, tuple[float, float]]  # x and y of the upper left corners


class Room(NamedTuple):
    """A folder or a module of xct: how much is in it, what for, and which rooms it imports."""

    modules: int
    lines: int
    purpose: str
    imports: frozenset[str]


def read_rooms(package: Path = SOURCES) -> dict[str, Room]:
    """Count every room's modules and lines, and find what it imports, wherever it does."""
    files: dict[str, list[Path]] = {}
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package).parts[0].removesuffix(".py")
        if not name.startswith("__"):
            files.setdefault(name, []).append(file)
    unknown = set(files) - {name for names in LAYERS.values() for name in names}
    if unknown:
        raise SystemExit(f"{__file__}: give {', '.join(sorted(unknown))} a place in LAYERS")
    return {name: _read_room(name, inside, set(files)) for name, inside in files.items()}


def _read_room(name: str, files: list[Path], rooms: set[str]) -> Room:
    texts = [file.read_text(encoding="utf-8") for file in files]
    trees = [ast.parse(text) for text in texts]
    entrance = next((t for f, t in zip(files, trees, strict=True) if _is_entrance(f, name)))
    purpose = " ".join((ast.get_docstring(entrance) or "").partition("\n\n")[0].split())
    imported = {word for tree in trees for word in _imported_rooms(tree)} & rooms - {name}
    lines = sum(text.count("\n") for text in texts)
    return Room(len(files), lines, purpose, frozenset(imported))


def _is_entrance(file: Path, name: str) -> bool:
    return file.stem == name or (file.name == "__init__.py" and file.parent.name == name)


def _imported_rooms(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("xct."))


def arrows(rooms: dict[str, Room]) -> list[tuple[str, str]]:
    """List the imports that do not follow from others, from room to room."""
    below: dict[str, set[str]] = {}
    for name in _from_the_ground(rooms):
        direct = {other for other in rooms[name].imports if not is_upward(name, other)}
        below[name] = direct.union(*(below[other] for other in direct))
    return [
        (name, other)
        for name, room in rooms.items()
        for other in sorted(room.imports)
        if is_upward(name, other) or not any(other in below[b] for b in room.imports & below[name])
    ]


def _from_the_ground(rooms: dict[str, Room]) -> list[str]:
    floors = reversed(LAYERS.values())
    return [name for names in floors for name in names if name in rooms]


def is_upward(start: str, end: str) -> bool:
    """Tell whether an import goes the wrong way: up, or to the right on one floor."""
    order = [name for names in LAYERS.values() for name in names]
    floor = [k for k, names in enumerate(LAYERS.values()) for _ in names]
    here, there = order.index(start), order.index(end)
    return floor[there] < floor[here] or (floor[there] == floor[here] and there > here)


def places(rooms: dict[str, Room]) -> Places:
    """Find the upper left corner of every room's box; rooms that do not exist yet have none."""
    found = {}
    for floor, names in enumerate(LAYERS.values()):
        here = [name for name in names if name in rooms]
        free = WIDTH - 2 * GAP - len(here) * BOX
        step = BOX + min(free / max(len(here) - 1, 1), 70)
        start = (WIDTH - step * (len(here) - 1) - BOX) / 2
        for k, name in enumerate(here):
            found[name] = (start + k * step, 8 + floor * FLOOR + FIRST)
    return found


def draw(rooms: dict[str, Room]) -> str:
    """Write the picture as SVG."""
    place = places(rooms)
    height = 8 + FLOOR * len(LAYERS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" font-family="Helvetica, Arial, sans-serif" role="img" '
        'aria-label="Rooms of xct and what they import">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker>'
        "</defs>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    for floor, layer in enumerate(LAYERS):
        top = 8 + floor * FLOOR
        parts.append(
            f'<rect x="6" y="{top}" width="{WIDTH - 12}" height="{HEIGHT + 28}" rx="6" '
            f'fill="#eef2f5"/><text x="14" y="{top + 14}" font-size="11" fill="#5b6b78">'
            f"{layer}</text>"
        )
    used: Counter[float] = Counter()
    parts += [_arrow(*pair, place, used) for pair in arrows(rooms)]
    parts += [_box(name, rooms[name], *place[name]) for name in place]
    return "\n".join([*parts, "</svg>", ""])


def _box(name: str, room: Room, x: float, y: float) -> str:
    size = f"{room.modules} modules, " if room.modules > 1 else ""
    lines = textwrap.wrap(room.purpose.rstrip("."), 27, max_lines=3, placeholder=" …")
    middle = x + BOX / 2
    texts = [
        f'<text x="{middle:g}" y="{y + 16:g}" font-size="13.5" font-weight="bold">{name}</text>',
        f'<text x="{middle:g}" y="{y + 30:g}" font-size="10.5" fill="#41525f">'
        f"{size}{room.lines:,} lines</text>",
    ]
    texts += [
        f'<text x="{middle:g}" y="{y + 45 + 12 * k:g}" font-size="10" fill="#41525f">'
        f"{escape(line)}</text>"
        for k, line in enumerate(lines)
    ]
    return (
        f'<g text-anchor="middle" fill="#13212c"><title>{escape(f"{name}: {room.purpose}")}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{BOX}" height="{HEIGHT}" rx="5" fill="#ffffff" '
        f'stroke="#7d97ab"/>{"".join(texts)}</g>'
    )


def _arrow(start: str, end: str, place: Places, used: Counter[float]) -> str:
    color, dashes = ("#c0392b", ' stroke-dasharray="4 3"') if is_upward(start, end) else (INK, "")
    (x0, y0), (x1, y1) = place[start], place[end]
    if y0 == y1:
        line = _sideways(x0, x1, y0)
    else:
        lean = max(-50.0, min(50.0, (x1 - x0) / 6))
        points = [(x0 + BOX / 2 + lean, y0 + HEIGHT), (x1 + BOX / 2 - lean, y1)]
        if y1 < y0:
            points = [(x0 + BOX / 2 + lean, y0), (x1 + BOX / 2 - lean, y1 + HEIGHT)]
        line = _through_gaps(*points, place, used)
    return f'<path d="{line}" fill="none" stroke="{color}"{dashes} marker-end="url(#tip)"/>'


def _sideways(x0: float, x1: float, y: float) -> str:
    begin, end = (x0, x1 + BOX) if x1 < x0 else (x0 + BOX, x1)
    if abs(end - begin) < BOX:
        return f"M{begin:g} {y + 23:g}H{end:g}"
    begin, end, y = x0 + BOX / 2, x1 + BOX / 2, y + HEIGHT
    return f"M{begin:g} {y:g}C{begin:g} {y + 14:g} {end:g} {y + 14:g} {end:g} {y:g}"


def _through_gaps(
    start: tuple[float, float], end: tuple[float, float], place: Places, used: Counter[float]
) -> str:
    """Draw a curve that passes the floors between its ends where no box stands."""
    (x, y), down = start, end[1] > start[1]
    line = f"M{x:g} {y:g}"
    between = sorted({top for _, top in place.values() if min(y, end[1]) < top < max(y, end[1])})
    for top in between if down else reversed(between):
        enter, leave = (top, top + HEIGHT) if down else (top + HEIGHT, top)
        if enter == end[1] or top + HEIGHT == start[1]:
            continue
        straight = x + (end[0] - x) * (enter - y) / (end[1] - y)
        gap = min(_gaps(top, place), key=lambda middle: abs(middle - straight))
        aside = (0, 3.5, -3.5, 7, -7)[used[gap + top * WIDTH] % 5]
        used[gap + top * WIDTH] += 1
        line += _bow(x, y, gap + aside, enter) + f"V{leave:g}"
        x, y = gap + aside, leave
    return line + _bow(x, y, *end)


def _bow(x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (y0 + y1) / 2
    return f"C{x0:g} {middle:g} {x1:g} {middle:g} {x1:g} {y1:g}"


def _gaps(top: float, place: Places) -> list[float]:
    starts = sorted(x for x, y in place.values() if y == top)
    inner = [(a + BOX + b) / 2 for a, b in pairwise(starts)]
    return [starts[0] - GAP, *inner, starts[-1] + BOX + GAP]


def main() -> None:
    """Draw the house, and say so."""
    rooms = read_rooms()
    target = HERE / "house.svg"
    target.write_text(draw(rooms), encoding="utf-8")
    modules = sum(room.modules for room in rooms.values())
    print(f"{target.name}: {len(rooms)} rooms, {modules} modules, {len(arrows(rooms))} arrows")


if __name__ == "__main__":
    main()
