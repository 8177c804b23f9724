"""Do the damage of the cathode and the loss of lithium lie at the same places?"""
