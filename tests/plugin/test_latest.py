"""What the user asked for last is what is shown last."""

from threading import Event

import pytest

pytest.importorskip("napari")

from xct.plugin.controls import Latest

LIMIT_MS = 10_000


def test_what_goes_on_from_an_answer_does_not_replace_a_newer_wish(qtbot):
    work, shown, may_end = Latest(delay_ms=5), [], Event()

    def first():
        assert may_end.wait(LIMIT_MS / 1000)
        return "first"

    def show(answer):
        shown.append(answer)
        if not answer.endswith("numbers"):
            work.follow_up(lambda: f"{answer}, its numbers")

    work.done.connect(show)
    work.ask(first)
    qtbot.waitUntil(lambda: work._running is not None, timeout=LIMIT_MS)
    work.ask(lambda: "second")  # wished for while the first is being measured
    may_end.set()
    qtbot.waitUntil(lambda: work.idle, timeout=LIMIT_MS)
    work.stop()
    assert shown == ["first", "second", "second, its numbers"]
