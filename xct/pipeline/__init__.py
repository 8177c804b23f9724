"""What happens during `xct run`, and nothing else."""
