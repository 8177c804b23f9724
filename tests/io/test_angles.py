import numpy as np
import pytest

from xct.errors import ScanError
from xct.io.scans.angles import angles_of_projections, given_angles


def test_the_last_angle_is_included():
    np.testing.assert_allclose(
        given_angles({"first": 10, "last": 0, "count": 5}), [10, 7.5, 5, 2.5, 0]
    )


@pytest.mark.parametrize(
    "text",
    [
        "0\n0.5\n1.0\n",
        "# degrees\n0\n\n0.5  # here\n1\n",
        "theta\n0\n0.5\n1\n",
        "\ufeff0\r\n.5\r\n1e0",
    ],
)
def test_angles_stand_in_a_text_file(tmp_path, text):
    file = tmp_path / "angles.txt"
    file.write_text(text, encoding="utf-8")
    assert given_angles(str(file)).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("column", [1, "s_rot"])
@pytest.mark.parametrize("separator", [" ", ",", ";", "\t"])
def test_angles_may_be_a_column_of_a_log(tmp_path, column, separator):
    file = tmp_path / "scan.csv"
    rows = [("time", "s_rot", "current"), ("1", "0", "100"), ("2", "0.5", "99")]
    file.write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")
    assert given_angles({"file": file, "column": column}).tolist() == [0, 0.5]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("0 100\n1 99\n", None, "2 columns; say which"),
        ("0\n1\nend\n", None, "line 3: no angle in 'end'"),
        ("0 100\n1\n", 1, "line 2: no angle in '1'"),
        ("0 100\n1 99\n", 2, "2 columns, so column 2 does not exist"),
        ("0 100\n1 99\n", "theta", "no column 'theta'; it has no names"),
        ("time theta\n0 1\n", "angle", "no column 'angle'; it has time, theta"),
        ("", None, "holds no angles"),
        ("# nothing\n", None, "holds no angles"),
    ],
)
def test_a_file_without_angles_is_refused(tmp_path, text, column, message):
    file = tmp_path / "angles.txt"
    file.write_text(text, encoding="utf-8")
    given = str(file) if column is None else {"file": file, "column": column}
    with pytest.raises(ScanError, match=message):
        given_angles(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere.txt", "no file nowhere.txt"),
        ({"first": 0, "last": 180, "count": 1.5}, "count = 1.5"),
        ({"first": 0, "last": 180}, "expected first, last and count"),
        ([[0, 1], [2]], "neither"),
        (["a"], "neither"),
    ],
)
def test_anything_else_is_refused(given, message):
    with pytest.raises(ScanError, match=message):
        given_angles(given)


def test_angles_without_flats_are_taken_as_they_are():
    keys = np.array([0, 0, 0])
    np.testing.assert_array_equal(angles_of_projections(np.arange(3.0), keys, "x"), [0, 1, 2])


def test_angles_of_no_known_number_are_refused():
    keys = np.array([1, 0, 0, 2, 0])
    with pytest.raises(
        ScanError, match=r"theta has 6 angles.*3 projections.*4 with flats, 5 frames"
    ):
        angles_of_projections(np.arange(6.0), keys, "theta")
