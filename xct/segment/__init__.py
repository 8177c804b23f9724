"""Segmentation: where which material is."""

from xct.segment.height_maps import surfaces

__all__ = ["surfaces"]
