"""Reports: one HTML file for a run or for a study, which needs nothing else."""
