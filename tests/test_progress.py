"""Progress: how far, how fast and how long still, in lines or in one line of a notebook."""

import io
from types import SimpleNamespace

import IPython.display
import pytest

from amortmix import progress as module
from amortmix.progress import progress


class Terminal(io.StringIO):
    """Takes what is written, as a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now.seconds)
    return now


def test_lines_say_the_rate_and_what_is_left(clock, capsys):
    """The first took a minute to compile, which is no speed; a line at most each second, and one at the end."""
    bar = progress(40, "fitting", unit="data sets", done=5)
    for seconds, amount in ((60.0, 5), (60.5, 5), (62.0, 5), (65.0, 20)):
        clock.seconds = seconds
        bar.advance(amount, "A")
    assert capsys.readouterr().out.splitlines() == [
        "fitting: 10/40 data sets (25 %), A",
        "fitting: 20/40 data sets (50 %), 5.00/s, 0.1 min left, A",
        "fitting: 40/40 data sets (100 %), 6.00/s, 0.0 min left, A",
    ]


def test_the_bar_of_a_terminal_counts_from_the_first_too(clock, monkeypatch):
    """Ten data sets in the three seconds after it, whatever it took."""
    monkeypatch.setattr(module.sys, "stderr", terminal := Terminal())
    bar = progress(20, "fitting", unit="data sets")
    bar.bar._time, bar.bar.start_t, bar.bar.last_print_t = (lambda: clock.seconds), 0.0, 0.0
    clock.seconds = 60.0
    bar.advance(5)
    assert "5.00/20.0 [00:00<?, ? data sets/s]" in terminal.getvalue()
    clock.seconds = 63.0
    bar.advance(10)
    bar.bar.refresh()
    assert bar.bar.format_dict["rate"] == pytest.approx(10 / 3)
    bar.close()


def test_a_notebook_has_one_line(clock, monkeypatch):
    """It is replaced, so that a notebook that is kept ends with the last."""
    shown = []
    handle = SimpleNamespace(update=lambda data, raw: shown.append(data["text/plain"]))

    def display(data, raw, display_id):
        shown.append(data["text/plain"])
        return handle

    monkeypatch.setattr(module, "_in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", display)
    bar = progress(2, "training")
    for seconds in (1.0, 2.0):
        clock.seconds = seconds
        bar.advance(1)
    assert [line.split(",")[0] for line in shown] == [
        "training: 1/2 steps (50 %)",
        "training: 2/2 steps (100 %)",
    ]
