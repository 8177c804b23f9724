"""Damage of the cathode and loss of lithium at the same places: maps, correlation, chance."""
