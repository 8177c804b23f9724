"""Finite elements: current, plated lithium and stress, ideal or measured."""

from xct.simulate.simulation import Case, Simulation, simulate

__all__ = ["Case", "Simulation", "simulate"]
