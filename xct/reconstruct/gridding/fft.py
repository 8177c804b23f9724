"""Fourier transforms of rows side by side. In: complex numbers; out: their inverse transforms.

A library transforms one row after the other and must gather it first. Here all rows go through
the same butterflies, a vector at a time. Only the inverse is needed: the forward transform is
the inverse one in reversed order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]

from xct.errors import DataError
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.reconstruct.gridding.vectors import FUSED, Writer, compiled, copy_line, void
from xct.reconstruct.gridding.workspace import borrowed

# Butterflies of a fast Fourier transform, in vector instructions; see `vectors`.


class _Numbers:
    """Arithmetic with vectors of complex numbers: real and imaginary lanes by turns."""

    def __init__(self, write: Writer) -> None:
        self.write = write

    def add(self, first: Any, second: Any) -> Any:
        return self.write.build.fadd(first, second, flags=FUSED)

    def subtract(self, first: Any, second: Any) -> Any:
        return self.write.build.fsub(first, second, flags=FUSED)

    def times(self, values: Any, real: float) -> Any:
        factor = ir.Constant(self.write.vector, [real] * self.write.lanes)
        return self.write.build.fmul(values, factor, flags=FUSED)

    def times_i(self, values: Any, factor: float = 1.0) -> Any:
        """Multiply by the imaginary number i times `factor`."""
        signs = [-factor, factor] * (self.write.lanes // 2)
        turned = self.write.swapped(values)
        return self.write.build.fmul(turned, ir.Constant(self.write.vector, signs), flags=FUSED)

    def small_transform(self, x: list[Any]) -> list[Any]:
        """Inverse transform of 2, 4, or an odd number of vectors."""
        if len(x) == 2:
            return [self.add(x[0], x[1]), self.subtract(x[0], x[1])]
        if len(x) == 4:
            even = self.small_transform([x[0], x[2]])
            odd = self.small_transform([x[1], x[3]])
            odd[1] = self.times_i(odd[1])
            sums = [self.add(a, b) for a, b in zip(even, odd, strict=True)]
            return sums + [self.subtract(a, b) for a, b in zip(even, odd, strict=True)]
        return self._odd_transform(x)

    def _odd_transform(self, x: list[Any]) -> list[Any]:
        """Use that the outputs k and -k share their sums of cosines and of sines."""
        radix, half = len(x), len(x) // 2
        sums = [self.add(x[j], x[radix - j]) for j in range(1, half + 1)]
        gaps = [self.subtract(x[j], x[radix - j]) for j in range(1, half + 1)]
        y = [x[0]] * radix
        for k in range(half + 1):
            cosines, sines = x[0], None
            for j in range(1, half + 1):
                angle = 2 * np.pi * j * k / radix
                cosines = self.add(cosines, self.times(sums[j - 1], float(np.cos(angle))))
                part = self.times_i(gaps[j - 1], float(np.sin(angle)))
                sines = part if sines is None else self.add(sines, part)
            y[k] = cosines if k == 0 else self.add(cosines, sines)
            if k > 0:
                y[radix - k] = self.subtract(cosines, sines)
        return y


def _butterfly(radix: int) -> Any:
    """Make the intrinsic that transforms `radix` vectors and turns each by its twiddle factor."""

    @compiled
    def butterfly(
        typing: Any,
        source: Any,
        begin: Any,
        step: Any,
        target: Any,
        place: Any,
        stride: Any,
        twiddles: Any,
        first: Any,
        lanes: Any,
    ) -> Any:
        signature = void(source, begin, step, target, place, stride, twiddles, first, lanes)

        def generate(context: Any, build: Any, signature: Any, args: Any) -> Any:
            write = Writer(context, build, signature, args)
            x = [write.load(write.place(0, write.ahead(args[1], args[2], j))) for j in range(radix)]
            for k, value in enumerate(_Numbers(write).small_transform(x)):
                if k > 0:
                    value = write.multiplied(
                        value,
                        build.load(write.place(6, args[7], 2 * k - 2)),
                        build.load(write.place(6, args[7], 2 * k - 1)),
                    )
                write.store(value, write.place(3, write.ahead(args[4], args[5], k)))
            return context.get_dummy_value()

        return signature, generate

    return butterfly


butterfly_2, butterfly_3, butterfly_4, butterfly_5 = (_butterfly(radix) for radix in (2, 3, 4, 5))


# Columns that are transformed together: the memory is read in pieces of that many vectors.
COLUMNS = 4


@dataclass(frozen=True)
class Plan:
    """How a length is divided (Stockham's scheme: no bit reversal).

    Attributes
    ----------
    radices : ndarray of int64, shape (pass,)
        Factors of the length.
    twiddles : ndarray of float32, shape (factor, 2) for each pass, one behind the other
        Real and imaginary parts.
    """

    radices: np.ndarray
    twiddles: np.ndarray


@lru_cache(maxsize=16)
def plan(length: int) -> Plan:
    """Divide a length, a product of 2, 3 and 5, into passes."""
    radices, rest = [], length
    for radix in (5, 3, 4, 2):
        while rest % radix == 0:
            radices.append(radix)
            rest //= radix
    if rest != 1:
        raise DataError(f"length={length} must be a product of 2, 3 and 5, as fast_even gives")
    twiddles, rest = [], length
    for radix in radices:
        turn = np.arange(rest // radix)[:, None] * np.arange(1, radix) / rest
        twiddles.append(np.exp(2j * np.pi * turn).ravel())
        rest //= radix
    factors = np.concatenate(twiddles).astype(np.complex64).view(np.float32)
    return Plan(np.array(radices), factors)


def inverse_rows(grid: np.ndarray, size: int) -> None:
    """Transform along x without the factor 1/n, in place.

    Parameters
    ----------
    grid : ndarray of float32, shape (y, x, row)
        Pairs of rows are complex numbers.
    size : int
        Only the last ``size // 2`` and the first ``size - size // 2`` columns are needed.
    """
    lanes, passes = (0,) * grid.shape[2], plan(grid.shape[1])
    flat = grid.reshape(grid.shape[0], -1)

    def work(first: int, stop: int) -> None:
        with borrowed(flat.shape[1]) as spare:
            _rows(flat[first:stop], spare, passes.radices, passes.twiddles, size, lanes)

    over_ranges(work, grid.shape[0], pieces=4)


def inverse_columns(grid: np.ndarray, size: int) -> None:
    """Transform along y, as `inverse_rows` does along x; only the columns that are needed."""
    cells, width, wide = grid.shape
    passes = plan(cells)

    def work(first: int, stop: int) -> None:
        with borrowed(2, cells * COLUMNS * wide) as spare:
            _columns(
                grid.reshape(cells, -1),
                (width - size // 2 + first, width - size // 2 + stop),
                spare,
                passes.radices,
                passes.twiddles,
                size,
                (0,) * wide,
            )

    over_ranges(work, size, pieces=4)


@njit(cache=True, nogil=True)
def transform(
    values: np.ndarray,
    spare: np.ndarray,
    beside: int,
    radices: np.ndarray,
    twiddles: np.ndarray,
    lanes: tuple[int, ...],
) -> bool:
    """Inverse transform of `beside` interleaved sequences; says whether it ends in `spare`."""
    wide = len(lanes)
    rest, step, at = values.size // (wide * beside), beside, 0
    source, target = values, spare
    for radix in radices:
        rest //= radix
        for p in range(rest):
            for q in range(step):
                begin, place = (q + step * p) * wide, (q + step * radix * p) * wide
                far, near = step * rest * wide, step * wide
                if radix == 4:
                    butterfly_4(source, begin, far, target, place, near, twiddles, at, lanes)
                elif radix == 5:
                    butterfly_5(source, begin, far, target, place, near, twiddles, at, lanes)
                elif radix == 3:
                    butterfly_3(source, begin, far, target, place, near, twiddles, at, lanes)
                else:
                    butterfly_2(source, begin, far, target, place, near, twiddles, at, lanes)
            at += 2 * (radix - 1)
        step *= radix
        source, target = target, source
    return radices.size % 2 == 1


@njit(cache=True, nogil=True)
def _rows(
    grid: np.ndarray,
    spare: np.ndarray,
    radices: np.ndarray,
    twiddles: np.ndarray,
    size: int,
    lanes: tuple[int, ...],
) -> None:
    for j in range(grid.shape[0]):
        if transform(grid[j], spare, 1, radices, twiddles, lanes):
            right, left = (size - size // 2) * len(lanes), spare.size - size // 2 * len(lanes)
            grid[j, :right] = spare[:right]
            grid[j, left:] = spare[left:]


@njit(cache=True, nogil=True)
def _columns(
    grid: np.ndarray,
    columns: tuple[int, int],
    spare: np.ndarray,
    radices: np.ndarray,
    twiddles: np.ndarray,
    size: int,
    lanes: tuple[int, ...],
) -> None:
    cells, width, wide = grid.shape[0], grid.shape[1], len(lanes)
    flat = grid.reshape(-1)
    for first in range(columns[0], columns[1], COLUMNS):
        beside = min(COLUMNS, columns[1] - first)
        values, other = spare[0, : cells * beside * wide], spare[1, : cells * beside * wide]
        for j in range(cells):
            for q in range(beside):
                begin = j * width + (first + q) * wide % width
                copy_line(flat, begin, values, (j * beside + q) * wide, lanes)
        if transform(values, other, beside, radices, twiddles, lanes):
            values = other
        for k in range(size):
            j = (k - size // 2) % cells
            for q in range(beside):
                place = j * width + (first + q) * wide % width
                copy_line(values, (j * beside + q) * wide, flat, place, lanes)
