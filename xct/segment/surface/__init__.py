"""Interfaces of the cell as height maps, below the voxel."""
