"""Watching a run: what it says of how far it is, to its terminal and to those who ask."""
