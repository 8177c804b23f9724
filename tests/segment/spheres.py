"""A tiny cell with spheres of active material, drawn at once: truth for labels and particles."""

import numpy as np
from scipy.ndimage import gaussian_filter

from xct.geometry import CellGeometry, Label, Plane, Surface

MU = {0: 0.0, 1: 0.1, 2: 5.0, 3: 48.0, 4: 114.0, 5: 4.95, 6: 0.5, 7: 0.0}
FACES = (8.0, 20.0, 44.0, 70.0, 76.0)  # steel, lithium, electrolyte, cathode, collector's back


class Flat:
    """The same electrolyte everywhere."""

    air, per_cm, mu_known, blur_guessed = 0.0, 1.0, True, False
    peak_per_cm, is_grey = 1.0, False

    def __init__(self, noise_per_cm=1.0, blur_um=2.8):
        self.noise_per_cm, self.blur_um = noise_per_cm, blur_um

    def mu_per_cm(self, z_um, r_um):
        return np.full(np.broadcast(z_um, r_um).shape, MU[2])


def pack(shape, low, high, bore, radii, rng, gap=1.0):
    """Throw spheres into the cathode until they fit."""
    placed = []
    for radius in radii:
        for _ in range(400):
            z = rng.uniform(low + radius + 1, high - radius - 1)
            reach, turn = (bore - radius - 2) * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            y, x = np.array(shape[1:]) / 2 + reach * np.array([np.sin(turn), np.cos(turn)])
            if all(
                (z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 > (radius + r + gap) ** 2
                for a, b, c, r in placed
            ):
                placed.append((z, y, x, radius))
                break
    return np.array(placed)


def cell_of_spheres(
    shape=(84, 72, 72), voxel_um=2.0, noise=1.0, blur_px=0.6, seed=0, drifted=0, chip=False
):
    """Draw μ; return it with its geometry, surfaces, labels, particles and spheres."""
    rng = np.random.default_rng(seed)
    _, lithium, front, collector, _ = FACES
    bore = 0.44 * shape[1]
    z, y, x = np.indices(shape, sparse=True)
    radius = np.hypot(y - (shape[1] - 1) / 2, x - (shape[2] - 1) / 2)
    labels = np.digitize(z, FACES).astype(np.uint8)
    labels = np.array([4, 1, 2, 2, 5, 4], np.uint8)[labels] + np.zeros(shape, np.uint8)
    radii = np.clip(3.2 * 1.25 ** rng.standard_normal(90), 2, 6)
    spheres = pack(shape, front, collector, bore, np.sort(radii)[::-1], rng)
    far = [
        (rng.uniform(lithium + 6, front - 12), shape[1] / 2 + dy, shape[2] / 2 + dx, 3.0)
        for dy, dx in [(-12, 0), (12, 3), (0, 14), (0, -14)][:drifted]
    ]
    spheres = np.concatenate([spheres, np.reshape(far, (-1, 4))])
    particles = np.zeros(shape, np.uint32)
    for number, (a, b, c, r) in enumerate(spheres, 1):
        particles[(z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= r * r] = number
    labels[particles > 0] = Label.ACTIVE_MATERIAL
    if chip:
        labels[lithium_chip(shape)] = Label.LOW_GREY
    labels[np.broadcast_to(radius > bore, shape)] = Label.TUBE
    labels[np.broadcast_to(radius > shape[1] / 2, shape)] = Label.OUTSIDE
    particles[labels != Label.ACTIVE_MATERIAL] = 0
    mu = np.array([MU[k] for k in range(8)], np.float32)[labels]
    mu = gaussian_filter(mu, blur_px) + noise * rng.standard_normal(shape)
    inside = radius[0] <= bore
    names = ("steel_lithium", "lithium_electrolyte", "electrolyte_cathode", "cathode_collector")
    # A voxel belongs to the layer that holds its middle: faces lie half a voxel before it.
    heights = {name: (face - 0.5) * voxel_um for name, face in zip(names, FACES, strict=False)}
    surfaces = {
        name: Surface(
            np.where(inside, height, np.nan).astype(np.float32),
            np.where(inside, 0, np.nan).astype(np.float32),
            "drawn",
        )
        for name, height in heights.items()
    }
    middle = (np.array(shape[1:]) - 1) / 2 * voxel_um
    planes = {name: Plane(height) for name, height in heights.items()}
    cell = CellGeometry(shape, (voxel_um,) * 3, *middle, bore * voxel_um, planes=planes)
    return mu.astype(np.float32), cell, surfaces, labels, particles, spheres


def lithium_chip(shape):
    """Part of the electrolyte that a chip fills."""
    middle = shape[1] // 2
    return np.s_[24:29, middle - 10 : middle + 10, middle - 4 : middle + 4]
