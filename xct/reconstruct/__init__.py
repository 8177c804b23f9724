"""Reconstruction: line integrals to slices in 1/cm."""

from xct.compiling import announce_compiling
from xct.reconstruct.filtered import fbp

__all__ = ["fbp"]

announce_compiling()
