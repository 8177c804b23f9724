"""Normalization: grey values on one scale, that of the electrolyte."""
