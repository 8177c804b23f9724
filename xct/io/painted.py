"""Labels painted by hand, beside the volume. In: its OME-Zarr group; out: an array to paint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zarr

from xct.errors import XctError
from xct.io.label_volume import create_labels

PAINTED, CLASSIFIED = "painted", "classified"  # by hand, and by what was learnt from it


def open_painted(volume: Path) -> Any:
    """Open the painted labels of a volume to be painted on; they are made where there are none.

    Only what is painted takes room on disk.

    Parameters
    ----------
    volume : Path
        The ``volume.zarr``.

    Returns
    -------
    zarr.Array
        uint8, shape (z, y, x); 0 where nothing was painted.

    Raises
    ------
    XctError
        If the folder cannot be written to.
    """
    try:
        if not (volume / "labels" / PAINTED / "zarr.json").is_file():
            return create_labels(volume, PAINTED, "uint8")
        group: Any = zarr.open_group(volume / "labels" / PAINTED, mode="r+")
        return group["0"]
    except OSError as error:
        raise XctError(
            f"{volume}: what is painted is kept there, but it cannot be written to: "
            f"{error.strerror or error}"
        ) from None
