"""Damaged inputs of every kind: each must be refused in words, soon, and without much memory."""
