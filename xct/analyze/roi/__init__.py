"""Regions of interest: shapes in cell coordinates, and what is measured in them."""
