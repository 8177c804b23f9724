"""Where a run is worked on: this machine, jobs of SLURM, workers of a Dask scheduler."""
