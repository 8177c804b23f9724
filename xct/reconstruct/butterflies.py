"""Butterflies of a fast Fourier transform, in vector instructions; see `vectors`."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from xct.reconstruct.vectors import FUSED, Writer, compiled


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
        signature = types.void(source, begin, step, target, place, stride, twiddles, first, lanes)

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
