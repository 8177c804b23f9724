"""What the user asked for last is what is shown last."""

from threading import Event

import pytest

pytest.importorskip("napari")

from xct.plugin.controls import Latest

LIMIT_MS = 600_000  # waited for what comes; a busy machine is no fault


def test_an_answer_is_shown_whole_before_the_next_one_comes(qtbot):
    work, shown = Latest(), []

    def show(answer):
        shown.append(f"{answer} begins")
        if answer == "first":
            work.ask(lambda: "second")
            for _ in range(20):  # as a window does that draws a progress bar
                qtbot.wait(5)
            assert not work.idle
        shown.append(f"{answer} ends")

    work.done.connect(show)
    work.ask(lambda: "first")
    qtbot.waitUntil(lambda: work.idle, timeout=LIMIT_MS)
    work.stop()
    assert shown == ["first begins", "first ends", "second begins", "second ends"]


def test_a_closed_widget_asks_for_nothing(qtbot):
    work = Latest()
    work.stop()
    work.ask(lambda: pytest.fail("nobody wants to know"))
    assert work.idle


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
