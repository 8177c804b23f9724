"""Volumes of other programs, one trait or two each. In: a folder; out: what became of the numbers.

Every volume is that of one virtual cell, stored or spoilt in some way. Its run is compared with
that of the plain volume: numbers are right, bounded, withheld, or wrong, and the run says so or
does not. ``python -m studies.given_volumes OUT`` goes on where it was; ``--page`` writes the table.
"""
