"""Tables as CSV: what is written is read, also where there is nothing."""

import numpy as np
import pandas as pd
import pytest

from xct.errors import XctError
from xct.io.tables import read_table, write_table


def test_a_table_is_read_as_it_was_written(tmp_path):
    table = pd.DataFrame({"name": ["a", "b"], "x_um": [1.5, np.nan], "drifted": [True, False]})
    write_table(tmp_path / "tables" / "t.csv", table)
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "tables" / "t.csv"), table, check_dtype=False
    )


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"x_um": []})])
def test_a_table_without_rows_or_columns_is_read_as_such(tmp_path, table):
    write_table(tmp_path / "t.csv", table)
    found = read_table(tmp_path / "t.csv")
    assert len(found) == 0
    assert list(found.columns) == list(table.columns)


def test_a_table_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(XctError, match="no such table"):
        read_table(tmp_path / "t.csv")
