"""YAML with line numbers: plain values only, every mistake with its line."""

import pytest

from xct.io.yaml import MOST_NODES, parse


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
    (complaint,) = parse(text).errors
    assert complaint[0] == line
    with pytest.raises(ValueError, match=message):
        raise ValueError(complaint[1])


def test_no_tag_runs_code(tmp_path):
    target = tmp_path / "made"
    parse(f"a: !!python/object/apply:os.mkdir ['{target}']")
    assert not target.exists()


def test_aliases_of_aliases_do_not_unfold_without_end():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (complaint,) = parse("\n".join(lines)).errors
    assert f"more than {MOST_NODES} values" in complaint[1]
