"""Triangles that follow boundaries."""
