"""What mishaps of a scan do, to slices and to the numbers of a cell."""
