"""Simulated current beside lost lithium: along a plane, and as maps of a block."""
