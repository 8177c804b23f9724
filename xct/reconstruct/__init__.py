"""Reconstruction: line integrals to slices in 1/cm."""

from xct.reconstruct.filtered import fbp

__all__ = ["fbp"]
