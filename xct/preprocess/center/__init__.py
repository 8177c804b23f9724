"""The center of rotation."""
