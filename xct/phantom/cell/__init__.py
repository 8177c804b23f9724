"""The virtual cell: a geometry that is drawn, and its voxels."""
