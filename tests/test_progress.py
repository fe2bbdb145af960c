"""Progress: how far, how fast and how long still, in lines or in one line of a notebook."""

from types import SimpleNamespace

import IPython.display
import pytest

from amortmix import progress as module
from amortmix.progress import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now.seconds)
    return now


def test_lines_say_the_rate_and_what_is_left(clock, capsys):
    """Five in two seconds, of twenty; a line at most each second, and one at the end."""
    bar = progress(20, "fitting", unit="data sets")
    for seconds, amount in ((2.0, 5), (2.5, 5), (4.0, 10)):
        clock.seconds = seconds
        bar.advance(amount, "A")
    assert capsys.readouterr().out.splitlines() == [
        "fitting: 5/20 data sets (25 %), 2.50/s, 0.1 min left, A",
        "fitting: 20/20 data sets (100 %), 5.00/s, 0.0 min left, A",
    ]


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
