"""Which material each voxel is made of."""
