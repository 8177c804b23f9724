"""Ionic current."""
