"""Analysis: from labels and grey values to numbers with their uncertainty."""

from xct.analyze.mixture import Mixture, fit_mixture

__all__ = ["Mixture", "fit_mixture"]
