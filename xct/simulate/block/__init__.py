"""Blocks of voxels in three dimensions."""
