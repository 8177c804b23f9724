"""A volume that is given: how it lies, and where it holds no data."""
