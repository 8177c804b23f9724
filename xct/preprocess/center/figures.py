"""Figures of the rotation axis. In: line integrals of some rows; out: a sinogram, three slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import show_with_sd
from xct.figures import canvas, contrast, reduced, scale_bar
from xct.reconstruct import fbp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHIFT_PX = 3.0  # how far from the axis the neighbors in the center check are reconstructed


def sinogram_figure(line_integrals: np.ndarray, center_px: Any, row_px: np.ndarray) -> Figure:
    """Draw the sinogram of the middle row, with the axis.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Some rows.
    center_px : Center
        The axis that was found in them.
    row_px : ndarray, shape (row,)
        Which rows of the detector these are.
    """
    middle = len(row_px) // 2
    sinogram = line_integrals[:, middle]
    figure, axes = canvas(1, 1, (7, 5))
    angles, columns = sinogram.shape
    image = axes[0].imshow(
        reduced(sinogram),
        cmap="gray",
        aspect="auto",
        interpolation="none",
        extent=(-0.5, columns - 0.5, angles - 0.5, -0.5),
    )
    axes[0].axvline(center_px.center_px, color="tab:red", lw=0.8, label="axis")
    title = f"Sinogram of row {row_px[middle]}"
    axes[0].set(xlabel="column", ylabel="projection", title=title)
    axes[0].legend(loc="upper right")
    figure.colorbar(image, ax=axes[0], label="line integral")
    return figure


def center_figure(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    center_px: Any,
    row_px: np.ndarray,
    pixel_size_um: float,
) -> Figure | None:
    """Draw a slice of the middle row at the axis that was found, and beside it.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Some rows.
    theta_deg : ndarray, shape (angle,)
        Angles, degrees.
    center_px : Center
        The axis that was found; without one, nothing is drawn.
    row_px : ndarray, shape (row,)
        Which rows of the detector these are.
    pixel_size_um : float
        Size of a (binned) pixel.
    """
    found = center_px.center_px
    if not np.isfinite(found):
        return None
    middle = len(row_px) // 2
    sinogram = line_integrals[:, middle]
    shifts = np.array([0.0, -_SHIFT_PX, _SHIFT_PX])
    positions = np.clip(found + shifts, 0, sinogram.shape[1] - 1)
    three = np.repeat(sinogram[:, None], 3, axis=1)
    slices = fbp(three, theta_deg, positions, pixel_size_um=pixel_size_um or 1.0)
    part = _busiest(slices[0])
    lowest, highest = contrast(slices[0][part])
    figure, axes = canvas(1, 3, (13, 5))
    for axis, picture, position in zip(axes, slices, positions, strict=True):
        axis.imshow(picture[part], cmap="gray", vmin=lowest, vmax=highest, interpolation="none")
        axis.set(xticks=[], yticks=[], title=f"axis at {position:.2f}")
    axes[0].set_title(f"axis at {found:.2f}, as found", fontweight="bold")
    if pixel_size_um:
        scale_bar(axes[0], part[1].stop - part[1].start, pixel_size_um)
    candidates = ",  ".join(f"{name} {value:.2f}" for name, value in center_px.by_method.items())
    figure.suptitle(
        f"Center check, row {row_px[middle]}: {show_with_sd(found, center_px.sd_px, 2)} px, "
        f"confidence {center_px.confidence:.2f}\n{candidates}",
        fontsize=10,
    )
    return figure


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
