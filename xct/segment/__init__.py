"""Segmentation: where which material is."""

from xct.segment.cell_shape import find_cell
from xct.segment.height_maps import surfaces
from xct.segment.instances import particles
from xct.segment.voxel_labels import materials

__all__ = ["find_cell", "materials", "particles", "surfaces"]
