"""Normalization: grey values on one scale, that of the electrolyte."""

from xct.normalize.electrolyte import electrolyte_reference
from xct.normalize.grey_scale import GreyValues, grey_values
from xct.normalize.reference import Reference

__all__ = ["GreyValues", "Reference", "electrolyte_reference", "grey_values"]
