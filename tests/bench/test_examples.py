"""Examples are made once and kept; where nothing can be kept they are made all the same."""

import pytest

from xct.bench.examples.small_cells import kept


@pytest.fixture
def made(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return []


def maker(made):
    def make(folder):
        made.append(folder)
        (folder / "content").write_text("1", encoding="utf-8")

    return make


def test_an_example_is_made_once_and_what_is_older_goes(made, tmp_path):
    older = tmp_path / "caches" / "xct" / "examples" / "cell-of-another-version"
    older.mkdir(parents=True)
    first, second = (kept("cell", maker(made)) for _ in range(2))
    assert first == second
    assert (first / "content").is_file()
    assert len(made) == 1
    assert not older.exists()


def test_what_failed_half_way_is_not_kept(made):
    def fail(folder):
        (folder / "half").touch()
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        kept("cell", fail)
    assert [path.name for path in kept("cell", maker(made)).iterdir()] == ["content"]


def test_an_example_needs_no_place_to_be_kept(made, tmp_path):
    (tmp_path / "caches").touch()  # in which no folder can be made
    assert (kept("cell", maker(made)) / "content").is_file()
