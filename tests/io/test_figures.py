"""Figures are drawn as matplotlib draws them, laid out once, and left as they were."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from xct.figures import JOURNAL_IN, bar, canvas, journal_style, journal_width, panel_letters
from xct.io.figures import pixels, save_figure


@pytest.fixture
def figure():
    figure, axes = canvas(1, 2, (4, 2))
    axes[0].imshow(np.arange(12.0).reshape(3, 4))
    bar(axes[0], 4.0)
    axes[1].set(xlabel="grey value", ylabel="a label that takes its room", xlim=(0, 3))
    return figure


def test_pixels_are_those_of_matplotlib(figure):
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=90)
    assert np.array_equal(pixels(figure, 90), np.asarray(Image.open(drawn).convert("RGBA")))


def test_files_have_the_same_bytes_each_time_whatever_was_drawn_before(figure, tmp_path):
    once = [path.read_bytes() for path in save_figure(figure, tmp_path, "one")]
    pixels(figure, 55)
    again = [path.read_bytes() for path in save_figure(figure, tmp_path, "one")]
    assert once == again


def test_a_figure_keeps_its_resolution_and_its_canvas(figure, tmp_path):
    dpi, on = figure.dpi, figure.canvas
    save_figure(figure, tmp_path, "one", dpi=70)
    assert (figure.dpi, figure.canvas) == (dpi, on)


def test_a_scale_bar_takes_no_room_of_the_picture_and_moves_no_limits():
    _, axes = canvas(1, 1, (3, 3))
    axes[0].imshow(np.zeros((10, 20)), extent=(0, 200, 100, 0))
    limits = axes[0].get_xlim(), axes[0].get_ylim()
    bar(axes[0], 200.0)
    assert (axes[0].get_xlim(), axes[0].get_ylim()) == limits
    [plate] = axes[0].artists
    assert plate.txt_label.get_text() == "20 µm"


def test_a_figure_for_a_journal_is_as_wide_as_its_page_and_no_letter_is_below_five_points():
    figure, axes = canvas(1, 2, (13, 4))
    axes[0].set_title("small", fontsize=6)
    axes[1].set_title("large", fontsize=18)
    axes[1].plot([0, 1], [0, 1000])
    journal_width(figure)
    assert tuple(figure.get_size_inches()) == pytest.approx((JOURNAL_IN[2], JOURNAL_IN[2] * 4 / 13))
    assert axes[0].title.get_fontsize() == 5
    assert axes[1].title.get_fontsize() == pytest.approx(18 * JOURNAL_IN[2] / 13)
    pixels(figure, 50)  # ticks are made anew
    assert min(tick.get_fontsize() for tick in axes[1].get_yticklabels()) >= 5


def test_a_figure_that_is_narrower_than_the_page_stays_as_it_is():
    figure, _ = canvas(1, 1, (4, 3))
    assert tuple(journal_width(figure).get_size_inches()) == (4, 3)


def test_a_figure_is_a_picture_in_a_notebook_that_has_not_used_pyplot(figure):
    from IPython.core.formatters import DisplayFormatter

    shown, _ = DisplayFormatter().format(pickle.loads(pickle.dumps(figure)))
    assert shown["image/png"].startswith(b"\x89PNG")


def letters(figure):
    return [axis.get_title(loc="left") for axis in figure.axes]


def test_panels_are_lettered_line_by_line_but_no_colour_bar_second_axis_or_lone_panel():
    figure, axes = canvas(2, 2, (6, 5))
    axes[0].twinx()
    figure.colorbar(axes[1].imshow(np.zeros((2, 2))), ax=axes[1])
    axes[3].set_visible(False)
    assert letters(panel_letters(figure)) == ["a", "b", "c", "", "", ""]
    assert letters(panel_letters(figure)) == ["a", "b", "c", "", "", ""]  # again changes nothing
    alone, _ = canvas(1, 1, (3, 3))
    assert letters(panel_letters(alone)) == [""]


def test_of_many_panels_the_columns_are_lettered_at_their_tops():
    figure, axes = canvas(5, 4, (6, 9))
    axes[1].set_visible(False)
    panel_letters(figure)
    assert [axes[n].get_title(loc="left") for n in (0, 5, 2, 3)] == ["a", "b", "c", "d"]
    assert sum(map(bool, letters(figure))) == 4


def test_a_dollar_is_no_formula_and_what_others_draw_is_left_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figure, (axis,) = canvas(1, 1, (3, 2))
    axis.semilogy([0, 1], [1, 100])
    axis.set_title("of 5$ and 6$")
    save_figure(figure, tmp_path, "prices", "svg")
    assert dict(mpl.rcParams) == before
    written = (tmp_path / "prices.svg").read_text(encoding="utf-8")
    assert "of 5$ and 6$" in written
    assert axis.get_yticklabels()[1].get_parse_math()


def test_the_style_of_a_journal_is_taken_by_pyplot():
    import matplotlib as mpl

    with mpl.rc_context(journal_style()):
        assert mpl.rcParams["figure.figsize"][0] == JOURNAL_IN[2]
        assert mpl.rcParams["font.size"] == 7
