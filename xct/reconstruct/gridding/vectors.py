"""Vector instructions for kernels with rows side by side: what numba alone does not find.

All work on one-dimensional arrays of float32 at given indices. `lanes` is a tuple: its length,
the number of rows side by side, is known when a kernel is compiled. After a change here, delete the
__pycache__ folders: compiled kernels are cached by the files that they stand in.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

from xct.parallel.lazy_kernels import LazyKernel
from xct.reconstruct.gridding.polar import WIDTH

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
# A product and a sum may become one instruction: the same one wherever it is compiled.
FUSED = ["contract"]


def compiled(write: Any) -> Any:
    """Let kernels call what `write` writes; its arguments are the types, not the values."""
    return LazyKernel(write, _intrinsic)


def _intrinsic(write: Any) -> Any:
    from numba.extending import intrinsic

    return intrinsic(write)


def void(*given: Any) -> Any:
    """Signature of what gives nothing; numba is imported when kernels are compiled."""
    from numba import types

    return types.void(*given)


class Writer:
    """Writes the instructions of one intrinsic: vectors of `lanes` values."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.build, self.args = builder, args
        self.lanes = signature.args[-1].count
        self.vector = ir.VectorType(_FLOAT, self.lanes)
        self.data = [
            context.make_array(kind)(context, builder, value).data
            if hasattr(kind, "as_array")
            else None
            for kind, value in zip(signature.args, args, strict=True)
        ]

    def place(self, array: int, index: Any, more: int = 0) -> Any:
        """Address of an element of the array that is argument number `array`."""
        index = self.build.add(index, ir.Constant(_INT, more)) if more else index
        return self.build.gep(self.data[array], [index])

    def load(self, place: Any) -> Any:
        """Read a vector; it need not be aligned."""
        return self.build.load(self.build.bitcast(place, self.vector.as_pointer()), align=4)

    def store(self, values: Any, place: Any) -> None:
        """Write a vector."""
        self.build.store(values, self.build.bitcast(place, self.vector.as_pointer()), align=4)

    def spread(self, value: Any) -> Any:
        """Fill a vector with one value."""
        one = self.build.insert_element(
            ir.Constant(self.vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
        )
        return self.shuffle(one, one, [0] * self.lanes)

    def shuffle(self, first: Any, second: Any, order: list[int]) -> Any:
        """Pick lanes of two vectors."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), order)
        return self.build.shuffle_vector(first, second, mask)

    def swapped(self, values: Any) -> Any:
        """Change the places of the lanes of each pair: real and imaginary part."""
        return self.shuffle(values, values, [i ^ 1 for i in range(self.lanes)])

    def multiplied(self, values: Any, real: Any, imaginary: Any) -> Any:
        """Multiply complex numbers, each a real and an imaginary lane, by one."""
        signs = ir.Constant(self.vector, [-1.0, 1.0] * (self.lanes // 2))
        across = self.build.fmul(self.spread(imaginary), signs)
        across = self.build.fmul(across, self.swapped(values), flags=FUSED)
        along = self.build.fmul(values, self.spread(real), flags=FUSED)
        return self.build.fadd(along, across, flags=FUSED)

    def ahead(self, begin: Any, step: Any, count: int) -> Any:
        """Index that lies `count` steps behind another."""
        return self.build.add(begin, self.build.mul(step, ir.Constant(_INT, count)))

    def weights(self, array: int, row: Any) -> list[Any]:
        """Weights of one row of the kernel's table, each in all lanes."""
        begin = self.build.mul(row, ir.Constant(_INT, WIDTH))
        return [self.spread(self.build.load(self.place(array, begin, i))) for i in range(WIDTH)]


@compiled
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Ask for an element that is read soon: ``prefetch(array, index)``."""

    def generate(context: Any, build: Any, signature: Any, args: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        data = context.make_array(signature.args[0])(context, build, args[0]).data
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = build.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        place = build.bitcast(build.gep(data, args[1:]), byte)
        build.call(ask, [place, number(0), number(3), number(1)])  # to read, and again soon
        return context.get_dummy_value()

    return void(array, index), generate


@compiled
def spread_samples(
    typing: Any,
    samples: Any,
    source: Any,
    count: Any,
    table: Any,
    table_rows: Any,
    steps: Any,
    buffer: Any,
    target: Any,
    stride: Any,
    lanes: Any,
) -> Any:
    """Add one sample, or it and the next one together, to the cells around.

    Parameters (of the compiled function)
    ----------
    samples, source : array, int
        Where the sample is; the next one is behind it.
    count : int
        1 or 2 samples; 2 only if `steps` are -1, 0 or 1.
    table, table_rows : array, tuple of four int
        The kernel's table, and its rows along x and y for the sample and for the next one.
    steps : tuple of two int
        From the first cell of the sample to that of the next one, along x and y.
    buffer, target, stride : array, int
        Where the first cell is; from one row of cells to the next.
    """
    signature = void(
        samples, source, count, table, table_rows, steps, buffer, target, stride, lanes
    )

    def generate(context: Any, build: Any, signature: Any, args: Any) -> Any:
        write = Writer(context, build, signature, args)
        three = ir.Constant(_INT, 3)
        step = [build.extract_value(args[5], i) for i in (0, 1)]
        case = build.add(build.mul(step[1], three), step[0])
        case = build.select(
            build.icmp_signed("==", args[2], ir.Constant(_INT, 2)), case, ir.Constant(_INT, 99)
        )
        end = build.append_basic_block("end")
        alone = build.append_basic_block("alone")
        switch = build.switch(case, alone)
        for step_y in (-1, 0, 1):
            for step_x in (-1, 0, 1):
                block = build.append_basic_block("pair")
                switch.add_case(ir.Constant(_INT, 3 * step_y + step_x), block)
                build.position_at_end(block)
                _add_cells(write, [(0, 0), (step_x, step_y)])
                build.branch(end)
        build.position_at_end(alone)
        _add_cells(write, [(0, 0)])
        build.branch(end)
        build.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


def _add_cells(write: Writer, steps: list[tuple[int, int]]) -> None:
    """Add samples whose first cells lie `steps` from the first one; each cell is met once."""
    build, args = write.build, write.args
    lines, weights = [], []
    for i in range(len(steps)):
        sample = write.load(write.place(0, args[1], i * write.lanes))
        along_x, along_y = (build.extract_value(args[4], 2 * i + axis) for axis in (0, 1))
        lines.append([build.fmul(sample, w) for w in write.weights(3, along_x)])
        weights.append(write.weights(3, along_y))
    x, y = zip(*steps, strict=True)
    for row in range(min(y), WIDTH + max(y)):
        begin = write.ahead(args[7], args[8], row)
        for column in range(min(x), WIDTH + max(x)):
            place = write.place(6, begin, column * write.lanes)
            total = cell = write.load(place)
            for i in range(len(steps)):
                if 0 <= row - y[i] < WIDTH and 0 <= column - x[i] < WIDTH:
                    part = build.fmul(lines[i][column - x[i]], weights[i][row - y[i]], flags=FUSED)
                    total = build.fadd(total, part, flags=FUSED)
            if total is not cell:
                write.store(total, place)


@compiled
def turn_block(
    typing: Any,
    source: Any,
    begin: Any,
    step: Any,
    target: Any,
    place: Any,
    stride: Any,
    factors: Any,
    first: Any,
    lanes: Any,
) -> Any:
    """Transpose a block of lanes × lanes values: ``target[r, c] = source[c, r] * factors[c]``.

    Line c of the source starts at ``begin + c * step``, line r of the target at ``place + r *
    stride``; the factors start at `first`.
    """
    signature = void(source, begin, step, target, place, stride, factors, first, lanes)

    def generate(context: Any, build: Any, signature: Any, args: Any) -> Any:
        write = Writer(context, build, signature, args)
        lines = []
        for i in range(write.lanes):
            line = write.load(write.place(0, write.ahead(args[1], args[2], i)))
            factor = write.spread(build.load(write.place(6, args[7], i)))
            lines.append(build.fmul(line, factor))
        for i, line in enumerate(_transposed(write, lines)):
            write.store(line, write.place(3, write.ahead(args[4], args[5], i)))
        return context.get_dummy_value()

    return signature, generate


def _transposed(write: Writer, lines: list[Any]) -> list[Any]:
    """Swap the blocks off the diagonal, from single values up to half of the square."""
    lanes = write.lanes
    size = 1
    while size < lanes:
        low = [i if not i & size else lanes + i - size for i in range(lanes)]
        high = [i + size if not i & size else lanes + i for i in range(lanes)]
        for i in range(lanes):
            if not i & size:
                first, second = lines[i], lines[i + size]
                lines[i] = write.shuffle(first, second, low)
                lines[i + size] = write.shuffle(first, second, high)
        size *= 2
    return lines


@compiled
def copy_line(typing: Any, source: Any, begin: Any, target: Any, place: Any, lanes: Any) -> Any:
    """Copy one vector."""
    signature = void(source, begin, target, place, lanes)

    def generate(context: Any, build: Any, signature: Any, args: Any) -> Any:
        write = Writer(context, build, signature, args)
        write.store(write.load(write.place(0, args[1])), write.place(2, args[3]))
        return context.get_dummy_value()

    return signature, generate


@compiled
def multiply_line(
    typing: Any,
    source: Any,
    begin: Any,
    target: Any,
    place: Any,
    real: Any,
    imaginary: Any,
    lanes: Any,
) -> Any:
    """Multiply a vector of complex numbers, each a real and an imaginary lane, by one number."""
    signature = void(source, begin, target, place, real, imaginary, lanes)

    def generate(context: Any, build: Any, signature: Any, args: Any) -> Any:
        write = Writer(context, build, signature, args)
        values = write.load(write.place(0, args[1]))
        write.store(write.multiplied(values, args[4], args[5]), write.place(2, args[3]))
        return context.get_dummy_value()

    return signature, generate
