"""Solvers of iterative reconstruction, and the models of projection that they invert."""
