"""numba is imported when a kernel is called, and sees what it would have seen at once."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.parallel import kernel_samples as samples
from xct.parallel.lazy_kernels import LazyKernel


def test_a_kernel_calls_kernels_of_its_own_and_of_other_modules():
    assert samples.sum_of_squares(np.arange(4.0)) == 14
    assert samples.through_a_module(3.0) == 9
    assert samples.factorial(5) == 120


def test_threads_that_call_a_kernel_at_once_all_get_the_answer():
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(samples.cubed, [2.0] * 16)) == [8.0] * 16


def test_a_kernel_goes_to_other_processes_by_its_name():
    again = pickle.loads(pickle.dumps(samples.squared))
    assert again(3.0) == 9
    assert samples.squared.__doc__ == "Give the square."


def test_what_the_kernel_does_not_have_is_no_attribute():
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = samples.squared.no_such_thing
    assert samples.squared.py_func(3.0) == 9


def test_declaring_kernels_does_not_import_numba():
    program = (
        "import sys; from tests.parallel import kernel_samples as s;"
        "assert 'numba' not in sys.modules; s.squared(2.0); assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert isinstance(samples.never_called, LazyKernel)
