"""Pictures of scenes by VTK, without a window. In: scenes, a camera; out: arrays of pixels.

The projection is parallel, so that one scale bar holds everywhere in a picture, and cells beside
each other are on one scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from xct.errors import XctError
from xct.render.scene import COLORS, EDGED, Body, Face, Scene

GROUNDS: Mapping[str, tuple[float, float, float]] = {"light": (1, 1, 1), "dark": (0.07, 0.08, 0.1)}
_NEEDED = "pictures in 3-D need VTK: pip install 'xct[render]'"
_SMOOTH_DEG = 50.0  # edges that are sharper than this stay sharp
_PEELS = 6  # transparent layers behind each other that are told apart


@dataclass(frozen=True)
class Camera:
    """Where a scene is seen from.

    Attributes
    ----------
    azimuth_deg : float
        From +x of the world to +y of it; the cut opens towards −45.
    elevation_deg : float
        Above the horizon.
    span_um : float
        Height of what is seen.
    """

    azimuth_deg: float = -55.0
    elevation_deg: float = 28.0
    span_um: float = 1000.0

    def turned(self, by_deg: float) -> Camera:
        """Give the camera after a turn about the axis."""
        return replace(self, azimuth_deg=self.azimuth_deg + by_deg)

    @property
    def towards(self) -> np.ndarray:
        """Direction from the middle of the scene to the eye, shape (3,)."""
        azimuth, elevation = np.deg2rad([self.azimuth_deg, self.elevation_deg])
        level = np.cos(elevation)
        return np.array([np.cos(azimuth) * level, np.sin(azimuth) * level, np.sin(elevation)])

    def place(self, points: np.ndarray) -> np.ndarray:
        """Give where points of the world, (point, 3), lie in the picture, µm to the right and up.

        Returns
        -------
        ndarray, shape (point, 2)
            From the middle of the picture.
        """
        azimuth = np.deg2rad(self.azimuth_deg)
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        up = np.cross(self.towards, right)
        return np.asarray(np.asarray(points) @ np.stack([right, up], axis=1))


def camera_for(scenes: Sequence[Scene], aspect: float) -> Camera:
    """Choose the camera that sees every one of some scenes whole, on one scale.

    Parameters
    ----------
    scenes : sequence of Scene
        Cells.
    aspect : float
        Width of the picture over its height.
    """
    camera = Camera()
    tilt = np.deg2rad(camera.elevation_deg)
    radius = max(scene.radius_um for scene in scenes)
    height = max(scene.height_um for scene in scenes)
    needed = max(2 * radius * np.sin(tilt) + height * np.cos(tilt), 2 * radius / aspect)
    return Camera(span_um=1.06 * float(needed))


def can_draw() -> bool:
    """Whether VTK is installed."""
    return find_spec("vtkmodules") is not None


class Stage:
    """A scene that is lit, to be seen from several sides.

    Parameters
    ----------
    scene : Scene
        What is shown.
    size : tuple of int
        Pixels across and down.
    opacities : mapping of str to float
        By name of a body; 0 leaves it out.
    ground : {"light", "dark"}
        Behind it.

    Raises
    ------
    XctError
        If VTK is not installed.
    """

    def __init__(
        self, scene: Scene, size: tuple[int, int], opacities: Mapping[str, float], ground: str
    ) -> None:
        vtk = _vtk()
        self._renderer = vtk.vtkRenderer()
        self._renderer.SetBackground(*GROUNDS[ground])
        for actor in _actors(scene, opacities):
            self._renderer.AddActor(actor)
        self._renderer.SetUseFXAA(True)
        self._renderer.SetUseDepthPeeling(True)
        self._renderer.SetMaximumNumberOfPeels(_PEELS)
        self._renderer.SetOcclusionRatio(0.0)
        vtk.vtkLightKit().AddLightsToRenderer(self._renderer)
        self._window = _window(vtk, size)
        self._window.AddRenderer(self._renderer)

    def seen_from(self, camera: Camera) -> np.ndarray:
        """Give a picture, uint8, shape (row, column, 3)."""
        eye = self._renderer.GetActiveCamera()
        eye.SetParallelProjection(True)
        eye.SetFocalPoint(0, 0, 0)
        eye.SetPosition(*(camera.towards * 4 * camera.span_um))
        eye.SetViewUp(0, 0, 1)
        eye.SetParallelScale(camera.span_um / 2)
        self._renderer.ResetCameraClippingRange()
        self._window.Render()
        return _pixels(self._window)


def _vtk() -> Any:
    """Import the parts of VTK that are used, once they are needed."""
    try:
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  what draws
        from vtkmodules import vtkRenderingCore
    except ImportError:
        raise XctError(_NEEDED) from None
    return vtkRenderingCore


def _window(vtk: Any, size: tuple[int, int]) -> Any:
    from vtkmodules.vtkCommonCore import vtkLogger

    # Without a screen VTK warns, and takes EGL or OSMesa.
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetSize(*size)
    window.SetMultiSamples(0)  # with depth peeling it is of no use: pictures are made larger
    window.SetAlphaBitPlanes(True)
    return window


def _actors(scene: Scene, opacities: Mapping[str, float]) -> Iterator[Any]:
    bodies = [*scene.bodies, *(outline.body for outline in scene.outlines)]
    for body in bodies:
        if len(body.triangles) and opacities[body.name] > 0:
            yield _actor(body, opacities[body.name])
    if opacities["section"] > 0:
        for face in scene.faces:
            yield _textured(face, opacities["section"])
    if opacities["rois"] > 0:
        for outline in scene.outlines:
            for line in outline.edges:
                yield _wire(line)


def _actor(body: Body, opacity: float) -> Any:
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals

    normals = vtkPolyDataNormals()
    normals.SetInputData(_polydata(body.points, triangles=body.triangles))
    normals.SetFeatureAngle(_SMOOTH_DEG)
    normals.SetSplitting(body.name in EDGED)
    normals.ConsistencyOff()  # triangles of one body are turned alike: to check it takes long
    actor = _of_data(normals)
    look = actor.GetProperty()
    look.SetColor(*COLORS[body.name])
    look.SetOpacity(opacity)
    look.SetAmbient(0.15)
    look.SetDiffuse(0.85)
    look.SetSpecular(0.15)
    look.SetSpecularPower(20)
    return actor


def _wire(line: np.ndarray) -> Any:
    from vtkmodules.vtkCommonExecutionModel import vtkTrivialProducer

    source = vtkTrivialProducer()
    source.SetOutput(_polydata(line, line=np.arange(len(line))[None]))
    actor = _of_data(source)
    actor.GetProperty().SetColor(*COLORS["rois"])
    actor.GetProperty().SetLineWidth(3)
    actor.GetProperty().LightingOff()
    return actor


def _textured(face: Face, opacity: float) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersSources import vtkPlaneSource
    from vtkmodules.vtkRenderingCore import vtkTexture

    rows, columns, _ = face.rgba.shape
    image = vtkImageData()
    image.SetDimensions(columns, rows, 1)
    pixels = np.ascontiguousarray(face.rgba[::-1]).reshape(-1, 4)
    image.GetPointData().SetScalars(_numpy().numpy_to_vtk(pixels, deep=True))
    texture = vtkTexture()
    texture.SetInputData(image)
    texture.InterpolateOn()
    plane = vtkPlaneSource()
    plane.SetOrigin(*face.origin)
    plane.SetPoint1(*(face.origin + face.along))
    plane.SetPoint2(*(face.origin + face.up))
    actor = _of_data(plane)
    actor.SetTexture(texture)
    actor.GetProperty().LightingOff()
    actor.GetProperty().SetOpacity(opacity)
    return actor


def _of_data(source: Any) -> Any:
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(source.GetOutputPort())
    actor = vtkActor()
    actor.SetMapper(mapper)
    return actor


def _polydata(
    points: np.ndarray, *, triangles: np.ndarray | None = None, line: np.ndarray | None = None
) -> Any:
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    cells = triangles if triangles is not None else line
    assert cells is not None
    count, corners = cells.shape
    offsets = np.arange(0, corners * count + 1, corners, dtype=np.int64)
    places, listed, data = vtkPoints(), vtkCellArray(), vtkPolyData()
    places.SetData(_numpy().numpy_to_vtk(np.ascontiguousarray(points, np.float32), deep=True))
    listed.SetData(
        _numpy().numpy_to_vtkIdTypeArray(offsets, deep=True),
        _numpy().numpy_to_vtkIdTypeArray(cells.astype(np.int64).ravel(), deep=True),
    )
    data.SetPoints(places)
    (data.SetPolys if triangles is not None else data.SetLines)(listed)
    return data


def _numpy() -> Any:
    """Give VTK's ways from and to NumPy, which are not typed."""
    from vtkmodules.util import numpy_support

    return numpy_support


def _pixels(window: Any) -> np.ndarray:
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    columns, rows, _ = image.GetDimensions()
    pixels = _numpy().vtk_to_numpy(image.GetPointData().GetScalars())
    return np.ascontiguousarray(pixels.reshape(rows, columns, -1)[::-1, :, :3])
