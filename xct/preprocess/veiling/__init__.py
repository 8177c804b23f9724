"""Veiling glare: light of whole frames, and which fraction of it is glare."""
