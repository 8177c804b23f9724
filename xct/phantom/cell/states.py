"""States of the virtual cell. In: a name; out: what is different from a pristine cell."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class State:
    """What cycling did to a cell.

    Attributes
    ----------
    name : str
        As on the command line.
    group : str
        ``NCM`` or ``LZP`` (coated NCM).
    cycles : int
        Number of cycles.
    lithium_lost : float
        Fraction of the lithium metal that is gone, on average over the bore.
    absent_area : float
        Fraction of the bore where no lithium is left.
    anode_sq_um : float
        Root mean square roughness of lithium's face to the electrolyte.
    front_sq_um : float
        Roughness of the boundary up to which the cathode was filled.
    drifted_per_mm2 : float
        Particles far inside the electrolyte.
    chips : float
        Fraction of the electrolyte's volume that is flat lithium chips.
    cracks_per_mm3 : float
        Cracks, 1–4 µm wide, in the electrolyte.
    lithium_content : tuple of float
        x of NCM at the front and at the collector.
    crack_porosity : tuple of float
        Fraction of a particle that is cracks, at the front and at the collector.
    hollow : float
        Fraction of the particles that have a cavity in their middle.
    cracked : float
        Fraction of the particles that have one crack more, of a given width.
    slit_um : tuple of float
        Narrowest and widest of these.
    gap_um : float
        Widest opening between a particle and its electrolyte.
    correlation : float or None
        Pearson correlation over (y, x) of dead cathode and stripped lithium; None where neither is.
    filaments_per_mm2 : float
        Filaments of lithium through the electrolyte; in turn one bridges it, one begins at the
        lithium and ends within, one touches neither.
    gap_area : float
        Fraction of the lithium's face from which the electrolyte has come off.
    voids : bool
        Chips and stripped patches are void, not lithium and electrolyte.
    """

    name: str
    group: str
    cycles: int
    lithium_lost: float = 0.0
    absent_area: float = 0.0
    anode_sq_um: float = 3.0
    front_sq_um: float = 2.0
    drifted_per_mm2: float = 0.0
    chips: float = 0.0
    cracks_per_mm3: float = 0.0
    lithium_content: tuple[float, float] = (1.0, 1.0)
    crack_porosity: tuple[float, float] = (0.0, 0.0)
    hollow: float = 0.15
    cracked: float = 0.0
    slit_um: tuple[float, float] = (0.0, 0.0)
    gap_um: float = 0.0
    correlation: float | None = None
    filaments_per_mm2: float = 0.0
    gap_area: float = 0.0
    voids: bool = False


_NCM_50 = State(
    "ncm-50", "NCM", 50,
    lithium_lost=0.1, anode_sq_um=8.0, front_sq_um=3.0, drifted_per_mm2=5.0, chips=0.0005,
    cracks_per_mm3=150.0, lithium_content=(0.9, 0.8), crack_porosity=(0.0, 0.03), gap_um=0.3,
    correlation=0.3,
)  # fmt: skip
_NCM_100 = State(
    "ncm-100", "NCM", 100,
    lithium_lost=0.5, absent_area=0.125, anode_sq_um=25.0, front_sq_um=4.0, drifted_per_mm2=40.0,
    chips=0.005, cracks_per_mm3=1500.0, lithium_content=(0.3, 0.5), crack_porosity=(0.02, 0.15),
    gap_um=1.0, correlation=0.7,
)  # fmt: skip

# The numbers are choices that follow the trends of the paper, which does not measure them.
_ALL = (
    State("ncm-0", "NCM", 0),
    _NCM_50,
    _NCM_100,
    State("lzp-0", "LZP", 0, gap_um=0.1),
    State(
        "lzp-50", "LZP", 50,
        lithium_lost=0.08, anode_sq_um=4.0, lithium_content=(0.9, 0.9), crack_porosity=(0.0, 0.01),
        gap_um=0.1, correlation=0.0,
    ),
    State(
        "lzp-100", "LZP", 100,
        lithium_lost=0.2, anode_sq_um=5.0, chips=0.0002, cracks_per_mm3=50.0,
        lithium_content=(0.5, 0.7), crack_porosity=(0.0, 0.02), gap_um=0.1, correlation=0.0,
    ),
    replace(_NCM_100, name="ncm-100-drift-only", lithium_content=(1.0, 1.0)),
    replace(_NCM_100, name="ncm-100-delithiated-only", drifted_per_mm2=0.0),
    replace(_NCM_100, name="ncm-100-voids", voids=True),
    replace(_NCM_100, name="ncm-100-uncorrelated", correlation=0.0),
    replace(_NCM_50, name="ncm-50-filaments", filaments_per_mm2=25.0),
    replace(_NCM_50, name="ncm-50-gaps", gap_area=0.3),
    replace(
        _NCM_100, name="ncm-100-cracked", crack_porosity=(0.0, 0.0), hollow=0.3, cracked=0.5,
        slit_um=(1.0, 2.0),
    ),
)  # fmt: skip

STATES: dict[str, State] = {state.name: state for state in _ALL}


def state_named(name: str) -> State:
    """Give a state by its name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in STATES:
        raise ValueError(f"state = {name!r} is not known; expected one of {', '.join(STATES)}")
    return STATES[name]
