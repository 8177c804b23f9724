"""Trying settings on a few slices before a run: sweeps, slices and their contact sheet."""
