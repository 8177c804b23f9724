"""Figures of a run. In: arrays; out: PNG and SVG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.reconstruct import fbp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PIXELS = 800
_SHIFT_PX = 3.0  # how far off the axis the neighbors in the center check are reconstructed


def draw_survey(
    folder: Path,
    sinogram: np.ndarray,
    theta_deg: np.ndarray,
    center: Mapping[str, Any],
    pixel_size_um: float,
    *,
    row: int,
) -> None:
    """Draw one sinogram, and its slice at the axis that was found and beside it.

    Parameters
    ----------
    folder : Path
        Where `sinogram` and `center` are written, as PNG and SVG.
    sinogram : ndarray, shape (angle, column)
        Line integrals of one detector row.
    theta_deg : ndarray, shape (angle,)
        Angles, degrees.
    center : mapping
        The entry `center_px` of the summary: value, sd, confidence, by_method.
    pixel_size_um : float
        Size of a (binned) pixel.
    row : int
        Which row it is.
    """
    figure, axes = canvas(1, 1, (7, 5))
    angles, columns = sinogram.shape
    image = axes[0].imshow(
        _reduced(sinogram),
        cmap="gray",
        aspect="auto",
        interpolation="none",
        extent=(-0.5, columns - 0.5, angles - 0.5, -0.5),
    )
    axes[0].axvline(center["value"], color="tab:red", lw=0.8, label="axis")
    axes[0].set(xlabel="column", ylabel="projection", title=f"Sinogram of row {row}")
    axes[0].legend(loc="upper right")
    figure.colorbar(image, ax=axes[0], label="line integral")
    save_figure(figure, folder, "sinogram")
    _draw_center(folder, sinogram, theta_deg, center, pixel_size_um, row)


def _draw_center(
    folder: Path,
    sinogram: np.ndarray,
    theta_deg: np.ndarray,
    center: Mapping[str, Any],
    pixel_size_um: float,
    row: int,
) -> None:
    shifts = np.array([0.0, -_SHIFT_PX, _SHIFT_PX])
    positions = np.clip(center["value"] + shifts, 0, sinogram.shape[1] - 1)
    three = np.repeat(sinogram[:, None], 3, axis=1)
    slices = fbp(three, theta_deg, positions, pixel_size_um=pixel_size_um)
    part = _busiest(slices[0])
    lowest, highest = contrast(slices[0][part])
    figure, axes = canvas(1, 3, (13, 5))
    for axis, picture, position in zip(axes, slices, positions, strict=True):
        axis.imshow(picture[part], cmap="gray", vmin=lowest, vmax=highest, interpolation="none")
        axis.set(xticks=[], yticks=[], title=f"axis at {position:.2f}")
    axes[0].set_title(f"axis at {center['value']:.2f}, as found", fontweight="bold")
    candidates = ",  ".join(f"{name} {value:.2f}" for name, value in center["by_method"].items())
    figure.suptitle(
        f"Center check, row {row}: {center['value']:.2f} ± {center['sd']:.2f} px, "
        f"confidence {center['confidence']:.2f}\n{candidates}",
        fontsize=10,
    )
    save_figure(figure, folder, "center")


def draw_slice(
    folder: Path,
    name: str,
    image: np.ndarray,
    voxel_size_um: float,
    *,
    title: str,
    what: str = "linear attenuation (1/cm)",
) -> None:
    """Draw a slice with a scale bar.

    Parameters
    ----------
    folder : Path
        Where to.
    name : str
        File name without ending.
    image : ndarray, shape (y, x)
        The slice.
    voxel_size_um : float
        Edge of a voxel.
    title : str
        Above the picture.
    what : str, optional
        What its values are.
    """
    figure, axes = canvas(1, 1, (7, 6))
    lowest, highest = contrast(image)
    height, width = image.shape
    shown = axes[0].imshow(
        _reduced(image),
        cmap="gray",
        vmin=lowest,
        vmax=highest,
        interpolation="none",
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
    )
    scale_bar(axes[0], image.shape[1], voxel_size_um)
    axes[0].set(xticks=[], yticks=[], title=title)
    figure.colorbar(shown, ax=axes[0], label=what)
    save_figure(figure, folder, name)


def scale_bar(axis: Axes, columns: int, voxel_size_um: float, *, color: str = "white") -> None:
    """Draw a bar of a round length, about a fifth of the width."""
    rough = columns * voxel_size_um / 5
    decade = 10 ** np.floor(np.log10(rough))
    length = decade * max(step for step in (1, 2, 5) if step * decade <= rough)
    left, width = 0.05 * columns, length / voxel_size_um
    text = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
    axis.plot([left, left + width], [0.95 * columns] * 2, color=color, lw=3)
    axis.text(left + width / 2, 0.93 * columns, text, color=color, ha="center", va="bottom")


def _reduced(image: np.ndarray) -> np.ndarray:
    """Average blocks of pixels, so that a picture is not much wider than it is shown."""
    step = max(1, min(image.shape) // _MOST_PIXELS)
    height, width = (length // step for length in image.shape)
    blocks = image[: height * step, : width * step].reshape(height, step, width, step)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _busiest(image: np.ndarray) -> tuple[slice, slice]:
    """Find the part where most happens, small enough that single pixels can be seen."""
    size = min(image.shape[0], 256)
    rough = np.abs(np.diff(image, axis=0)[:, 1:]) + np.abs(np.diff(image, axis=1)[1:])
    firsts = range(0, image.shape[0] - size + 1, size // 2)
    places = [
        (float(rough[y : y + size, x : x + size].sum()), y, x) for y in firsts for x in firsts
    ]
    _, y, x = max(places)
    return slice(y, y + size), slice(x, x + size)


def contrast(image: np.ndarray) -> tuple[float, float]:
    """Choose the range that is shown, from black to white, leaving out a few extreme values."""
    values = image[image != 0]
    lowest, highest = np.percentile(values, (0.5, 99.7)) if values.size else (0.0, 1.0)
    return float(lowest), float(max(highest, lowest + 1e-9))


def canvas(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Make a figure without a window, and without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as PNG and SVG; each appears when it is whole."""
    from xct.io.atomic import written_whole

    folder.mkdir(parents=True, exist_ok=True)
    for ending, dpi in (("png", 130), ("svg", 130)):
        with written_whole(folder / f"{name}.{ending}") as temporary:
            figure.savefig(temporary, format=ending, dpi=dpi)
