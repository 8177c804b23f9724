"""When frames were taken, and the ring current then. In: logged times and readings."""

from __future__ import annotations

import numpy as np


def frame_clock(time_ms: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Turn time stamps, in the order in which frames were taken, into a clock that advances.

    Parameters
    ----------
    time_ms : ndarray, shape (frame,)
        Milliseconds since the epoch.

    Returns
    -------
    time : ndarray, shape (frame,)
        Seconds since the first frame. Frames with the same stamp are spread over the time of
        one frame, in their order. Where the stamps run backwards or stand still: the number of
        the frame.
    note : str or None
        What was wrong with the stamps.
    """
    time_ms = np.asarray(time_ms, np.float64)
    count = len(time_ms)
    if count < 2:
        return np.zeros(count), None
    steps = np.diff(time_ms)
    if not np.isfinite(time_ms).all() or (steps < 0).any() or not steps.any():
        back = np.flatnonzero(~(steps >= 0))
        what = f"run backwards at frame {back[0] + 1}" if len(back) else "are all the same"
        return np.arange(count, dtype=np.float64), (
            f"the time stamps {what}, so the order of the frames is taken as their clock"
        )
    stamps, first, sizes = np.unique(time_ms, return_index=True, return_counts=True)
    spread = np.minimum(np.diff(stamps, append=np.inf), np.median(steps[steps > 0]))
    rank = np.arange(count) - np.repeat(first, sizes)
    shared = np.repeat(spread / sizes, sizes) * rank
    repeated = count - len(stamps)
    note = f"{repeated} of {count} time stamps repeat the one before" if repeated else None
    return (time_ms - time_ms[0] + shared) / 1000, note


def mean_current_ma(
    start_ms: np.ndarray,
    exposure_ms: float | None,
    reading_ms: np.ndarray,
    reading_ma: np.ndarray,
) -> np.ndarray:
    """Find the ring current of each frame: the mean of that at its start and at its end.

    Parameters
    ----------
    start_ms : ndarray, shape (frame,)
        When each exposure began.
    exposure_ms : float or None
        How long it was; None: only its start counts.
    reading_ms, reading_ma : ndarray, shape (reading,)
        The logged current. Zeros before the first real reading mean that there was none yet;
        later zeros are real.

    Returns
    -------
    ndarray, shape (frame,)
        mA, linear between readings. NaN where it is not known: before the first real reading,
        and longer after the last than readings lie apart.
    """
    real = np.isfinite(reading_ma) & np.isfinite(reading_ms) & (reading_ms > 0)
    real &= np.cumsum(real & (reading_ma > 0)) > 0
    times, places = np.unique(np.asarray(reading_ms, np.float64)[real], return_index=True)
    currents = np.asarray(reading_ma, np.float64)[real][places]
    if len(times) == 0:
        return np.full(len(start_ms), np.nan)
    reach = times[-1] + np.max(np.diff(times), initial=0.0)

    def at(moment: np.ndarray) -> np.ndarray:
        known = np.interp(moment, times, currents, left=np.nan)
        return np.where(moment <= reach, known, np.nan)

    start = np.asarray(start_ms, np.float64)
    return np.asarray((at(start) + at(start + (exposure_ms or 0.0))) / 2)
