"""Stacks without a cell: particles, voids and shells in any grey or labelled image or stack."""
