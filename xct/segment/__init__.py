"""Segmentation: where which material is."""
