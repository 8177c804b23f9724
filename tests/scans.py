"""Small raw scans for tests, written as files; faults are added by changing the file."""

from pathlib import Path

import h5py
import numpy as np

from xct.phantom.discs import project_discs

ROWS, COLUMNS, ANGLES = 20, 192, 180
CENTER_PX = 92.3
PIXEL_SIZE_UM = 2.0
# x, y, radius in pixels; value per pixel.
DISCS = np.array([[3, 2, 70, 0.003], [24, 36, 12, 0.02], [-44, 20, 9, 0.02], [8, -40, 7, 0.02]])


def line_integrals(rows=ROWS, columns=COLUMNS, angles=ANGLES, discs=DISCS, center_px=CENTER_PX):
    """Exact line integrals (angle, row, column) of discs that grow a little with the row."""
    theta = np.linspace(0, 180, angles, endpoint=False)
    sinogram = project_discs(discs, theta, columns, center_px)
    return sinogram[:, None, :] * (1 + 0.01 * np.arange(rows))[:, None]


def counts(integrals, beam=20_000.0, offset=100.0, seed=0):
    """Counts of a camera with an offset, with Poisson noise."""
    rng = np.random.default_rng(seed)
    return (rng.poisson(beam * np.exp(-integrals)) + offset).astype(np.uint16)


def write_dxchange(path: Path, integrals=None, **facts) -> Path:
    """Write a DXchange file with 8 flats and 5 darks."""
    integrals = line_integrals() if integrals is None else integrals
    angles, rows, columns = integrals.shape
    with h5py.File(path, "w") as file:
        exchange = file.create_group("exchange")
        exchange["data"] = counts(integrals)
        exchange["data_white"] = counts(np.zeros((8, rows, columns)), seed=1)
        exchange["data_dark"] = counts(np.full((5, rows, columns), 50.0), seed=2)
        exchange["theta"] = np.linspace(0, 180, angles, endpoint=False)
        exchange["theta"].attrs["units"] = "degrees"
        if facts.get("pixel_size", True):
            place = "measurement/instrument/detection_system/objective/resolution"
            file[place] = PIXEL_SIZE_UM
            file[place].attrs["units"] = "um"
    return path
