"""Small scans in HDF5 files of every layout, whose counts are known."""

import h5py
import numpy as np
import pytest

ROWS, COLUMNS = 4, 6


def _numbered(count, first=0, dtype=np.uint16):
    pixels = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    return (100 * np.arange(first, first + count)[:, None, None] + pixels).astype(dtype)


def _write(path, contents):
    with h5py.File(path, "w") as file:
        for name, content in contents.items():
            if content is None:
                continue
            if isinstance(content, h5py.SoftLink | h5py.ExternalLink):
                file[name] = content
                continue
            value, units = content if isinstance(content, tuple) else (content, None)
            file[name] = value
            if units is not None:
                file[name].attrs["units"] = units
    return path


@pytest.fixture
def numbered():
    """Make frames of 4 × 6 pixels in which frame k holds 100 k + the number of the pixel."""
    return _numbered


@pytest.fixture
def write(tmp_path):
    """Write an HDF5 file: paths with a value, (value, units) or a link; None leaves out."""
    return lambda name, contents: _write(tmp_path / name, contents)


@pytest.fixture
def dxchange(write):
    """Write a DXchange file: projections 10 …, flats 100 …, darks 0 …."""

    def make(more=None, angles=12, name="scan.h5"):
        return write(
            name,
            {
                "/exchange/data": _numbered(angles, 10),
                "/exchange/data_white": _numbered(3, 100),
                "/exchange/data_dark": _numbered(2),
                "/exchange/theta": (np.linspace(0, 165, angles), "degrees"),
                **(more or {}),
            },
        )

    return make


@pytest.fixture
def nxtomo(write):
    """Write an NXtomo file with one numbered frame per key, 15° between projections."""

    def make(keys, more=None, entry="/entry", name="scan.nx"):
        keys = np.asarray(keys)
        contents = {
            "definition": "NXtomo",
            "instrument/detector/data": _numbered(len(keys)),
            "instrument/detector/image_key": keys.astype(np.int32),
            "sample/rotation_angle": (15.0 * np.cumsum(keys == 0), "deg"),
            **(more or {}),
        }
        return write(name, {f"{entry}/{path}": value for path, value in contents.items()})

    return make
