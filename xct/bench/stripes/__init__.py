"""Stripes of each kind, and what ways to remove them leave."""
