"""Numbers of the materials, with their sources. A configuration may give others."""

LITHIUM_MOLAR_CM3_MOL = 13.0  # 6.94 g/mol over 0.534 g/cm³

# Young's modulus, GPa, and Poisson's ratio.
ELECTROLYTE = (28.0, 0.27)  # Li6PS5Cl, as in the study (doi 10.1016/j.scib.2023.03.021)
LITHIUM = (7.8, 0.38)  # Masias et al., J. Mater. Sci. 54, 2585 (2019)
PARTICLE = (142.0, 0.25)  # dense NCM: Xu et al., J. Electrochem. Soc. 164, A3333 (2017)

# An upper end for what a layered oxide loses in volume with all of its lithium; about 5 % at 4.3 V
# and x = 0.2: de Biasi et al., J. Phys. Chem. C 121, 26163 (2017).
PARTICLE_VOLUME_CHANGE = 0.06
# 4.78 g/cm³ over 97.3 g/mol, LiNi0.8Co0.1Mn0.1O2.
PARTICLE_LITHIUM_MOL_M3 = 49_100.0

# Toughness 0.23 MPa √m of a sulfide (McGrogan et al., Adv. Energy Mater. 7, 1602011 (2017)) and a
# surface flaw of 5 µm, the size of a grain: K / (1.12 √(π a)) = 52 MPa.
STRENGTH_MPA = 50.0
