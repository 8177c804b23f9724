"""Displacement and stress."""
