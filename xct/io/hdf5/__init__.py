"""HDF5 files as readers see them: opened, with their links, units and frames."""
