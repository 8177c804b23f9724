"""What other programs did to a given volume. In: a volume, its cell; out: what is said."""
