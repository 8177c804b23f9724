"""Reconstruction: line integrals to slices in 1/cm."""

from xct.reconstruct.engines import Engine, register_engine
from xct.reconstruct.filtered import fbp
from xct.reconstruct.inputs import Request
from xct.reconstruct.iterations import iterative

__all__ = ["Engine", "Request", "fbp", "iterative", "register_engine"]
