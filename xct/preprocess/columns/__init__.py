"""Columns of a sinogram: which are bad, and which show what is the sample's."""
