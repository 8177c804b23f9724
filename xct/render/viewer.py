"""A page in which cells are turned by hand. In: scenes; out: one HTML file that needs nothing else.

Places are kept as 16-bit steps of their box, and everything is compressed, so six cells take a few
megabytes; the browser unpacks them and draws them with WebGL 2. Nothing is loaded from a network.
"""

from __future__ import annotations

import gzip
import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from xct.render.picture import Camera, camera_for
from xct.render.scene import COLORS, EDGED, Body, Face, Scene

PAGE = "cells.html"
_FACE_PX = 480  # a face is no larger: the page is turned, not printed


def viewer(scenes: Sequence[Scene], opacities: Mapping[str, float]) -> str:
    """Write the page.

    Parameters
    ----------
    scenes : sequence of Scene
        Of few triangles.
    opacities : mapping of str to float
        At the start, by name of a body.

    Returns
    -------
    str
        HTML. Names of cells are escaped: one with ``<`` shows as it is written.
    """
    import jinja2

    camera = camera_for(scenes, 1.0)
    template = resources.files("xct.render").joinpath("viewer.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template).render(
        names=[scene.name for scene in scenes],
        layers=_layers(scenes, opacities),
        data=_data(scenes, camera),
    )


def _layers(scenes: Sequence[Scene], opacities: Mapping[str, float]) -> list[dict[str, Any]]:
    """List what can be switched on and off, with colours as hexadecimal."""
    there = {body.name for scene in scenes for body in scene.bodies if len(body.triangles)}
    there |= {"section"} if any(scene.faces for scene in scenes) else set()
    return [
        {"name": name, "text": name.replace("_", " "), "opacity": opacities[name],
         "color": "#" + "".join(f"{round(255 * part):02x}" for part in COLORS[name])}
        for name in COLORS if name in there
    ]  # fmt: skip


def _data(scenes: Sequence[Scene], camera: Camera) -> dict[str, Any]:
    return {
        "camera": [camera.azimuth_deg, camera.elevation_deg, camera.span_um],
        "cells": [
            {
                "bodies": [_body(body) for body in scene.bodies if len(body.triangles)],
                "faces": [_face(face) for face in scene.faces],
            }
            for scene in scenes
        ],
    }


def _body(body: Body) -> dict[str, Any]:
    low, high = body.points.min(axis=0), body.points.max(axis=0)
    size = np.maximum(high - low, 1e-6)
    places = np.rint((body.points - low) / size * 65535).astype("<u2")
    return {
        "name": body.name,
        "color": list(COLORS[body.name]),
        "edged": body.name in EDGED,
        "low": low.tolist(),
        "size": size.tolist(),
        "points": _packed(places),
        "triangles": _packed(_differences(body.triangles)),
    }


def _differences(triangles: np.ndarray) -> np.ndarray:
    """Give each index less the one before: neighbours are alike, so it packs into a third."""
    flat = triangles.ravel().astype(np.int64)
    return np.diff(flat, prepend=0).astype("<i4")


def _packed(values: np.ndarray) -> str:
    return b64encode(gzip.compress(values.tobytes(), 9, mtime=0)).decode("ascii")


def _face(face: Face) -> dict[str, Any]:
    from PIL import Image

    picture = Image.fromarray(face.rgba)
    picture.thumbnail((_FACE_PX, _FACE_PX))
    written = io.BytesIO()
    picture.save(written, format="webp", quality=80)
    return {
        "corners": [
            (face.origin + u * face.along + v * face.up).tolist() for v in (1, 0) for u in (0, 1)
        ],
        "picture": "data:image/webp;base64," + b64encode(written.getvalue()).decode("ascii"),
    }
