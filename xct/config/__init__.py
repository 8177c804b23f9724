"""Configurations and recipes: from text to checked values."""
