"""YAML with line numbers: plain values only, every mistake with its line."""

import pytest

from xct.io.yaml import MOST_NODES, parse, with_values


def test_values_and_lines_are_those_of_the_text():
    document = parse("a: 1\nb: {c: 1e-3, d: [x, 2.5]}\ne: no\n")
    assert document.value == {"a": 1, "b": {"c": 0.001, "d": ["x", 2.5]}, "e": False}
    assert [document.line(key) for key in (("a",), ("b", "c"), ("b", "d", 1), ("e",))] == [
        1, 2, 2, 3,
    ]  # fmt: skip
    assert not document.errors


def test_a_key_without_a_line_takes_that_of_the_key_above():
    assert parse("a:\n  b: 1\n").line(("a", "missing")) == 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\na: 2\n", 2, "the key 'a' stands twice, first in line 1"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2, "tag .* is not allowed"),
        ("a: !!python/name:os.system ''\n", 1, "is not a plain value"),
        ("a: !!python/object:os.X {b: 1}\n", 1, "tag .* is not allowed"),
        ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
        ("a: &x [*x]\n", 1, "an alias that contains itself"),
    ],
)
def test_mistakes_are_listed_with_their_line(text, line, message):
    (error,) = parse(text).errors
    assert error[0] == line
    with pytest.raises(ValueError, match=message):
        raise ValueError(error[1])


def test_no_tag_runs_code(tmp_path):
    target = tmp_path / "made"
    parse(f"a: !!python/object/apply:os.mkdir ['{target}']")
    assert not target.exists()


def test_aliases_of_aliases_do_not_unfold_without_end():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (error,) = parse("\n".join(lines)).errors
    assert f"more than {MOST_NODES} values" in error[1]


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "[ " * 3000])
def test_what_is_nested_without_end_is_refused_at_once(text):
    (error,) = parse(f"scan: {text}" if text[0] != "-" else text).errors
    assert error == (1, "nested too deeply for a configuration")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True), ("no", False), ("On", True), ("OFF", False), ("True", True), ("y", "y"),
        ("010", 10), ("0o10", "0o10"), ("0x10", "0x10"), ("1_000", "1_000"), ("+3", 3),
        ("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("-.inf", float("-inf")), ("1.5e3", 1500.0),
        ("1:30", "1:30"), ("2026-03-14", "2026-03-14"), ("~", None), ("", None), ("null", None),
        ("'1'", "1"), ("!!str 5", "5"), ("!!int '7'", 7), ("=", "="), ("NCM-100", "NCM-100"),
    ],
)  # fmt: skip
def test_words_and_numbers_mean_what_they_always_meant(text, value):
    found = parse(f"a: {text}").value["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "value",
    ["no", "1:30", "010", "1e-3", "", " a", "a: b", "# x", "ä µm", 1e-05, 0.1, 3, True, None,
     [1, [2.5, "x"]], {"b": 1, "a": {"c": [1, 2]}}, [], {}],
)  # fmt: skip
@pytest.mark.parametrize("text", ["{key: 1, last: 1}", "key:\nlast: 1", "last: 1"])
def test_what_is_written_is_read_again(value, text):
    written = with_values(text, {"key": {"inner": value}})
    assert parse(written).value == {"key": {"inner": value}, "last": 1}
    assert written.count("\n") <= 2


LAYOUT = """\
# a cell
scan:
    file:   'a.h5'   # aligned
    # roi: {row: [0, 5]}
    roi:
        row: [0, 9]  # upper
        column:
        -   3
        -   7

# how
run: { workers: 2,  dtype: uint16 }  # small
note: |
    several
    lines
later:     # needed: a number
empty:
"""


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({"scan.file": "b c.h5"}, "'a.h5'", "b c.h5"),
        ({"scan.roi.row": [1, 2]}, "[0, 9]", "[1, 2]"),
        ({"scan.roi.column": [1, 2]}, "\n        -   3\n        -   7", " [1, 2]"),
        ({"scan.roi": None}, LAYOUT[LAYOUT.index("    roi:") : LAYOUT.index("\n# how")], ""),
        ({"scan.bin": 2}, "        -   7\n", "        -   7\n    bin: 2\n"),
        ({"scan.roi.depth": 2}, "        -   7\n", "        -   7\n        depth: 2\n"),
        ({"run.workers": None}, "workers: 2,  ", ""),
        ({"run.dtype": None}, ",  dtype: uint16", ""),
        ({"run.memory_gib": 1.5}, "uint16 }", "uint16, memory_gib: 1.5 }"),
        ({"later": 2}, "later:", "later: 2"),
        ({"empty": "no"}, "empty:", "empty: 'no'"),
        ({"empty.a.b": 1}, "empty:", "empty: {a: {b: 1}}"),
        ({"steps.fbp.window": "hann"}, "empty:\n", "empty:\nsteps: {fbp: {window: hann}}\n"),
        ({"note": "short"}, "|\n    several\n    lines\n", "short\n"),
    ],
)  # fmt: skip
def test_a_new_value_changes_nothing_else(changes, before, after):
    assert LAYOUT.count(before) == 1
    assert with_values(LAYOUT, changes) == LAYOUT.replace(before, after)


def test_several_values_are_set_one_after_the_other():
    text = with_values("a: 1 # one", {"b.c": 2, "b.d": [1], "a": None})
    assert parse(text).value == {"b": {"c": 2, "d": [1]}}
