"""Segmentation: where which material is."""

from xct.segment.cell_shape import find_cell
from xct.segment.height_maps import surfaces

__all__ = ["find_cell", "surfaces"]
