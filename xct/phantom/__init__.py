"""Phantoms: objects whose projections are known exactly."""

from xct.phantom.discs import draw_discs, project_discs, random_discs

__all__ = ["draw_discs", "project_discs", "random_discs"]
