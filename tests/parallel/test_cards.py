"""Graphics cards: each process has one of its own while it works."""

import os
import signal
import subprocess
import sys

import pytest

from xct.parallel import cards
from xct.reconstruct import astra_engine

HOLDS = (
    "from xct.parallel.cards import claimed_card\n"
    "with claimed_card() as card:\n"
    "    print(card, flush=True)\n"
    "    input()\n"
)


@pytest.fixture
def names(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7")
    return ["4", "GPU-7"]


def holder():
    return subprocess.Popen(
        [sys.executable, "-c", HOLDS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def test_processes_have_a_card_each_and_one_that_is_killed_lets_go(names):
    with holder() as first, holder() as second:
        assert {first.stdout.readline(), second.stdout.readline()} == {"0\n", "1\n"}
        with holder() as third:  # waits
            os.kill(first.pid, signal.SIGKILL)
            assert third.stdout.readline() in {"0\n", "1\n"}
            third.stdin.write("\n")
        second.stdin.write("\n")


def test_threads_of_a_process_have_a_card_each(names):
    with cards.claimed_card() as one, cards.claimed_card() as other:
        assert (one, other) == (0, 1)
    with cards.claimed_card() as again:
        assert again == 0


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("0,1", ["0", "1"]),
        ("3", ["3"]),
        ("", []),
        ("-1", []),
        ("2,-1,0", ["2"]),
        ("a, b", ["a", "b"]),
    ],
)
def test_cards_are_those_that_a_scheduler_gave(given, found, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert cards.visible_cards() == found


def test_without_a_scheduler_they_are_those_of_the_driver(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(cards, "_DRIVER", tmp_path / "gpus")
    assert cards.visible_cards() == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert cards.visible_cards() == ["0", "1"]


def test_without_a_card_nothing_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with cards.claimed_card() as card:
        assert card is None


def test_a_link_in_place_of_the_folder_is_not_followed(names, tmp_path):
    (tmp_path / f"xct-cards-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    with cards.claimed_card() as card:
        assert card == 0
    assert not list((tmp_path / "elsewhere").iterdir())


def test_astra_is_told_its_card_before_it_makes_anything(names, monkeypatch):
    told = []

    class Astra:
        use_cuda = staticmethod(lambda: True)
        set_gpu_index = staticmethod(told.append)

    monkeypatch.setattr(astra_engine, "_import_astra", Astra)
    with cards.claimed_card(), astra_engine.on_a_card():
        assert told == [1]
