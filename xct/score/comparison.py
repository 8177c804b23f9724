"""A result against a truth. In: two folders; out: metrics by name.

Labels, particles and μ are compared in one pass over the volume, slab by slab; surfaces, tables
and the summary as they are. What a result does not have is not scored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xct.errors import XctError
from xct.parallel.blocks import slabs
from xct.result import Result, open_result
from xct.score.filaments import score_filaments
from xct.score.grey import GreyScore
from xct.score.inclusions import InclusionScore
from xct.score.materials import AttenuationScore, LabelScore, SeparatorScore
from xct.score.metric import Metrics, Slab, VoxelScore, interior, known
from xct.score.numbers import score_numbers
from xct.score.particles import ParticleScore, score_particle_tables
from xct.score.surfaces import score_displacement, score_surfaces

MARGIN = 2  # voxels around an interior voxel that are of the same material


def score(
    result_path: Path | str,
    truth_path: Path | str,
    pristine_truth: Path | str | None = None,
) -> Metrics:
    """Compare a result with the truth of a virtual cell.

    Parameters
    ----------
    result_path : path
        Output folder of a run.
    truth_path : path
        ``truth/`` of a virtual cell, laid out like a result.
    pristine_truth : path, optional
        ``truth/`` of the same virtual cell (seed and size) in its pristine state: the displacement
        since then is compared, too.

    Returns
    -------
    dict of str to dict
        ``{metric: {"value", "unit", "n"}}``. A metric for which either side has no data is
        absent.

    Raises
    ------
    XctError
        If a folder is no result, the volumes do not have the same voxels, or the truths are not
        of one cell.
    """
    result, truth = open_result(Path(result_path)), open_result(Path(truth_path))
    metrics: Metrics = {}
    if has_volume(result) and has_volume(truth):
        _check_voxels(result, truth)
        metrics |= _score_voxels(result, truth)
    if not has_labels(result, "particles"):
        metrics |= score_particle_tables(result, truth)
    metrics |= score_filaments(result, truth)
    metrics |= score_surfaces(result, truth)
    if pristine_truth is not None:
        metrics |= score_displacement(result, truth, open_result(Path(pristine_truth)))
    metrics |= score_numbers(result, truth)
    return known(metrics)


def has_volume(result: Result) -> bool:
    """Return whether a folder holds a volume."""
    return (result.path / "volume.zarr" / "zarr.json").is_file()


def has_labels(result: Result, name: str) -> bool:
    """Return whether a folder holds labels of a name."""
    return (result.path / "volume.zarr" / "labels" / name / "zarr.json").is_file()


def _check_voxels(result: Result, truth: Result) -> None:
    mine, true = result.stored_volume, truth.stored_volume
    same_size = np.allclose(mine.voxel_size_um, true.voxel_size_um, rtol=1e-3)
    if mine.shape != true.shape or not same_size:
        raise XctError(
            f"{result.path} has {mine.shape} voxels of {mine.voxel_size_um} µm, but the truth has "
            f"{true.shape} of {true.voxel_size_um} µm; only equal voxels can be compared: "
            "reconstruct without bin and roi, and with as many pixels as the detector has columns"
        )


def _score_voxels(result: Result, truth: Result) -> Metrics:
    """Go through both volumes once."""
    names = ("materials", "particles", "inclusions")
    mine = {name: result.labels(name) for name in names if has_labels(result, name)}
    true = {name: truth.labels(name) for name in names if has_labels(truth, name)}
    scores: list[VoxelScore] = [
        some
        for some in (
            LabelScore.of(mine, true),
            SeparatorScore.of(mine, true, truth),
            AttenuationScore.of(true),
            GreyScore.of(result, truth),
            ParticleScore.of(result, truth, mine, true),
            InclusionScore.of(result, truth, mine, true),
        )
        if some is not None
    ]
    volumes = result.stored_volume, truth.stored_volume
    for block in slabs(volumes[0].shape, overlap=MARGIN):
        kinds = np.asarray(true["materials"][block.outer]) if "materials" in true else None
        inner = slice(block.first, block.stop)
        slab = Slab(
            block.first,
            volumes[0][inner],
            volumes[1][inner],
            {name: np.asarray(array[inner]) for name, array in mine.items()},
            {name: np.asarray(array[inner]) for name, array in true.items()},
            None if kinds is None else interior(kinds, MARGIN)[block.inner],
        )
        for some in scores:
            some.add(slab)
    metrics: Metrics = {}
    for some in scores:
        metrics |= some.metrics()
    return metrics
