"""How well glare is corrected in a photon-starved cathode.

Run as ``python -m studies.photon_starved_cathode --size quick|full --out DIR``.
"""
