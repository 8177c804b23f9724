"""The cathode's faces as surfaces. In: where to look; out: Surface by name, with sd."""

from __future__ import annotations

import numpy as np

from xct.geometry import SURFACES, Surface
from xct.physics.optics import FWHM_PER_SIGMA
from xct.segment.surface.bands import Band
from xct.segment.surface.collector import Particles, collector_surface
from xct.segment.surface.detached import RIM
from xct.segment.surface.front import Faces, cathode_faces
from xct.segment.surface.search import Search, as_surface, say_absent
from xct.statistics.gaussian import reach_px

_FRONT, _COLLECTOR = SURFACES[2:]
_BEHIND_UM = 16.0  # the collector is flat, and steel is close behind it
_LEAST_PLATEAU = 0.5  # of the electrolyte's μ: a cathode exceeds it by several times that
_BLUR_PX = 0.55
# Of the columns: a face of the collector that is seen in fewer is none. In one that is thinner than
# the average is wide, steel behind it counts in: 0.02 and 0.16 of the columns had a face then, up
# to 9 µm too early; half as wide, the average shows it in 0.98. Plain cells have one in 0.85 and
# more.
_LEAST_SEEN, _NARROWER = 0.5, 0.5
_PARTICLE_OF_FWHM = 0.35  # radius of a particle: the average is about as wide as one


def cathode_surfaces(search: Search, *, front_fwhm_um: float) -> dict[str, Surface]:
    """Find the faces of the cathode.

    Parameters
    ----------
    search : Search
        Where.
    front_fwhm_um : float
        Full width at half maximum of the Gaussian over which the fraction is averaged.

    Returns
    -------
    dict of str to Surface
    """
    names = [name for name in (_FRONT, _COLLECTOR) if search.knows(name)]
    if not names:
        return say_absent(f"{_FRONT}, {_COLLECTOR}", "neither plane is in view")
    near, far = (name if search.knows(name) else None for name in (_FRONT, _COLLECTOR))
    near_um = search.room_um(_FRONT, SURFACES[1])
    span = search.span(near, far, near_um=near_um, far_um=min(_BEHIND_UM, search.search_um))
    ends = [
        span.s_of(search.cell.plane_um(name)) if name else np.full(search.cell.shape[1:], end)
        for name, end in ((near, 0.0), (far, span.count - 1.0))
    ]
    bore, inside = search.columns(float(span.z_um(0.5 * float(ends[0].mean() + ends[1].mean()))))
    if span.count < 4 or not inside.any():
        return say_absent(", ".join(names), "too few voxels of the bore are in view there")
    sigma_um = front_fwhm_um / FWHM_PER_SIGMA
    sigma = sigma_um / search.pixel_um, sigma_um / span.voxel_um
    band = search.band(span, bore, reach_px(sigma[0]) + RIM)
    base = _base(search, band)
    middle = np.where(bore, 0.5 * (ends[0] + ends[1]), np.nan)
    quarter = 0.25 * float(np.median((ends[1] - ends[0])[bore]))
    faces, plateau = cathode_faces(band, inside, base, middle, quarter, sigma)
    if plateau > 0 and _COLLECTOR in names and _share(faces.back, inside) < _LEAST_SEEN:
        narrow = _NARROWER * sigma[0], _NARROWER * sigma[1]
        again, _ = cathode_faces(band, inside, base, middle, quarter, narrow)
        faces = faces._replace(back=again.back, back_sd=again.back_sd)
    if not plateau > _LEAST_PLATEAU * float(np.mean(base)):
        return say_absent(
            ", ".join(names), "nothing there attenuates clearly more than the electrolyte"
        )
    return _as_surfaces(search, band, inside, base, faces, plateau, names, front_fwhm_um)


def _share(height: np.ndarray, inside: np.ndarray) -> float:
    """Give in which part of the columns there is a face."""
    return float(np.isfinite(height[inside]).mean())


def _base(search: Search, band: Band) -> np.ndarray:
    """Give μ without active material, slice by slice."""
    half = 0.5 * search.cell.bore_radius_um
    heights = band.span.z_um(np.arange(band.span.count))
    return np.array([search.factor * float(search.reference.mu_per_cm(z, half)) for z in heights])


def _as_surfaces(
    search: Search,
    band: Band,
    inside: np.ndarray,
    base: np.ndarray,
    faces: Faces,
    plateau: float,
    names: list[str],
    fwhm_um: float,
) -> dict[str, Surface]:
    span = band.span
    text = f"fraction of active material averaged over {fwhm_um:g} µm, at half its plateau"
    found = {}
    if _FRONT in names:
        found[_FRONT] = as_surface(span, faces.front, faces.front_sd, text)
    if _COLLECTOR in names:
        radius_px = _PARTICLE_OF_FWHM * fwhm_um / search.pixel_um
        particles = Particles(base, plateau, _BLUR_PX, radius_px)
        face = collector_surface(band, inside, faces.back, particles, search.pixel_um)
        if face is None:
            found[_COLLECTOR] = as_surface(span, faces.back, faces.back_sd, text)
        else:
            definition = "face of the collector: where the outermost particles end"
            found[_COLLECTOR] = as_surface(span, *face, definition)
    for name, surface in list(found.items()):
        seen, least = _share(surface.height_um, inside), _LEAST_SEEN * (name == _COLLECTOR)
        if seen == 0 or seen < least:
            del found[name]
            where = f"in {seen:.0%} of the columns only" if seen else "nowhere"
            say_absent(name, f"the fraction of active material crosses half of its plateau {where}")
    return found
