"""Where an NXtomo file, or one of its kin, keeps frames, keys and angles. Out: Layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import h5py

from xct.errors import ScanError
from xct.io.hdf5.source import Source
from xct.io.scans.raw import Request

_ANGLE_WORDS = ("theta", "rot", "angle", "omega")


@dataclass(frozen=True)
class Layout:
    """Paths of one scan inside a file, and the groups where its facts may stand."""

    data: str
    image_key: str | None
    theta_deg: str | None
    groups: tuple[str, ...] = ()
    detector: str | None = None


def entries(source: Source) -> list[Layout]:
    """Find every NXtomo scan in the file: by its definition, or by its usual paths."""
    found = []
    root = source.find("/")
    for name in root if root is not None else ():
        group = f"/{name}"
        if not isinstance(source.find(group), h5py.Group):
            continue
        for inner in (f"{group}/tomo_entry", group):
            layout = _layout(source, inner, group)
            if layout is not None:
                found.append(layout)
                break
    return found


def _layout(source: Source, entry: str, group: str) -> Layout | None:
    detector = f"{entry}/instrument/detector"
    declared = (source.text(f"{entry}/definition") or "").lower() == "nxtomo"
    data = _there(source, f"{detector}/data", f"{entry}/data/data")
    key = _there(source, f"{detector}/image_key_control", f"{detector}/image_key",
                 f"{entry}/data/image_key_control", f"{entry}/data/image_key")  # fmt: skip
    theta = _there(source, f"{entry}/sample/rotation_angle", f"{entry}/data/rotation_angle")
    if data is None or not (declared or key or theta):
        return None
    return Layout(data, key, theta, tuple(dict.fromkeys((entry, group))), detector)


def _there(source: Source, *paths: str) -> str | None:
    """Get the first path at which something stands, be it a broken link that is then named."""
    return source.first(*paths) or next((path for path in paths if source.has(path)), None)


def choose(source: Source, request: Request) -> Layout:
    """Decide which paths to read: those of the request, then of the file.

    Raises
    ------
    ScanError
        If there is no scan, or several of which none was chosen.
    """
    asked = request.paths
    data = asked.get("data")
    known = entries(source)
    if data is not None:
        known = [entry for entry in known if data.startswith(f"{entry.groups[-1]}/")][:1]
    elif len(known) > 1:
        names = ", ".join(entry.data for entry in known)
        raise ScanError(
            f"{source.file} holds {len(known)} scans ({names}); choose one with scan.paths.data"
        )
    if known:
        chosen = known[0]
    elif data is not None:
        chosen = Layout(data, None, None, (f"/{data.strip('/').split('/')[0]}",))
    else:
        chosen = _only_similar(source, asked)
    chosen = replace(
        chosen,
        data=data or chosen.data,
        image_key=asked.get("image_key") or chosen.image_key,
        theta_deg=asked.get("theta_deg") or chosen.theta_deg,
    )
    if chosen.image_key is None:
        chosen = replace(chosen, image_key=_key_elsewhere(source, chosen.data))
    return chosen


def _key_elsewhere(source: Source, data: str) -> str | None:
    """Find the image key of frames anywhere in the file: one value a frame.

    Raises
    ------
    ScanError
        If several of that length say different things.
    """
    shape = getattr(source.find(data), "shape", None) or (0,)
    count = max((n for n in shape[:-2] if n > 1), default=0)
    twins: dict[bytes, list[tuple[str, int]]] = {}
    for path, found in source.datasets():
        name = path.rsplit("/", 1)[1].lower()
        if found.shape == (count,) and "key" in name and found.dtype.kind in "iuf":
            keys = found[()].astype("f8")
            if set(keys.tolist()) <= {-1.0, 0.0, 1.0, 2.0, 3.0} and 0 in keys:
                twins.setdefault(keys.tobytes(), []).append((path, count))
    if len(twins) > 1:
        names = ", ".join(paths[0][0] for paths in twins.values())
        raise ScanError(
            f"{source.file} holds several image keys for {data} ({names}); choose one with "
            "scan.paths.image_key"
        )
    if not twins:
        return None
    [paths] = twins.values()
    path = _nearest(paths, data)
    source.origin["image_key"] = path
    return path


def _only_similar(source: Source, asked: Mapping[str, str]) -> Layout:
    """Choose the one stack of frames that has a key and angles, as far as they were not asked."""
    found = [
        layout
        for layout in similar(source)
        if all(asked.get(name, path) == path for name, path in vars(layout).items())
    ]
    if not found:
        raise ScanError(
            f"{source.file} holds neither an NXtomo entry nor frames with an image_key and "
            "angles; set scan.paths with data, image_key and theta_deg"
        )
    if len(found) > 1:
        names = "; ".join(f"{f.data}, {f.image_key}, {f.theta_deg}" for f in found[:4])
        raise ScanError(
            f"{source.file} holds several stacks of frames with keys and angles ({names}); "
            "choose with scan.paths (data, image_key, theta_deg)"
        )
    source.note(
        f"no NXtomo entry: {found[0].data} is read with the keys {found[0].image_key} and the "
        f"angles {found[0].theta_deg}, the only ones of its length"
    )
    return found[0]


def similar(source: Source) -> list[Layout]:
    """Find frames, image keys and angles of one length in a NeXus file of any other layout.

    Datasets that hold the same values, e.g. one dataset under several links, count once.
    """
    stacks: dict[object, tuple[str, int]] = {}
    keys: dict[object, list[tuple[str, int]]] = {}
    angles: dict[object, list[tuple[str, int]]] = {}
    for path, found in source.datasets():
        name = path.rsplit("/", 1)[1].lower()
        shape = [length for length in found.shape or () if length > 1]
        if found.ndim >= 3 and len(shape) >= 3 and found.dtype.kind in "iuf":
            stacks.setdefault((found.file.filename, found.name), (path, shape[0]))
        elif found.ndim == 1 and "image_key" in name and found.dtype.kind in "iuf":
            keys.setdefault(found[()].tobytes(), []).append((path, len(found)))
        elif found.ndim == 1 and found.dtype.kind == "f" and _is_angle(path, name):
            angles.setdefault(found[()].tobytes(), []).append((path, len(found)))
    return [
        Layout(data, _nearest(key, data), _nearest(theta, data), (f"/{data.split('/')[1]}",))
        for data, length in stacks.values()
        for key in keys.values()
        for theta in angles.values()
        if length == key[0][1] == theta[0][1]
    ]


def _nearest(twins: list[tuple[str, int]], data: str) -> str:
    """Choose, among paths to the same values, the one that shares most with that of the data."""
    words = set(data.split("/"))
    return max((path for path, _ in twins), key=lambda path: len(words & set(path.split("/"))))


def _is_angle(path: str, name: str) -> bool:
    """Whether a dataset's name says that it is an angle; NeXus calls many of them `value`."""
    said = path.rsplit("/", 2)[-2].lower() if name in ("value", "data") else name
    return any(word in said for word in _ANGLE_WORDS) and not said.endswith("_set")
