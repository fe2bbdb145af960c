"""Progress with rate and time left: a bar on a terminal, one line in a notebook, plain lines elsewhere.

    rate = (done - first) / (time - time of the first),   left = (total - done) / rate,

where ``first`` is what was done at the first advance: compilation comes with it, and says nothing about the speed.
"""

import sys
import time

from tqdm import tqdm

#: Seconds from one line to the next, at least; the last always comes.
EVERY = 1.0


class _Lines:
    """Lines for logs and pipes."""

    def __init__(self, total, title, unit, done):
        self.total, self.title, self.unit, self.done = total, title, unit, done
        self.first = self.began = self.said = None

    def advance(self, amount, note=""):
        self.done += amount
        now = time.perf_counter()
        if self.first is None:
            self.first, self.began = self.done, now
        elif now < self.said + EVERY and self.done < self.total:
            return
        self.said = now
        share = 100 * self.done / max(self.total, 1)
        done = f"{self.title}: {self.done:,}/{self.total:,} {self.unit} ({share:.0f} %)"
        self.say(", ".join([done, *self._speed(now - self.began), *([note] if note else [])]))

    def _speed(self, seconds):
        """Rate and time left, once there is more than the first advance."""
        if self.done == self.first:
            return []
        rate = (self.done - self.first) / max(seconds, 1e-9)
        left = (self.total - self.done) / max(rate, 1e-9)
        return [f"{rate:,.{0 if rate >= 10 else 2}f}/s", f"{left / 60:.1f} min left"]

    def say(self, line):
        print(line, flush=True)

    def close(self):
        pass


class _Cell(_Lines):
    """A line below the cell of a notebook, which the next one replaces."""

    shown = None

    def say(self, line):
        from IPython.display import display

        if self.shown is None:
            self.shown = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self.shown.update({"text/plain": line}, raw=True)


class _Bar:
    def __init__(self, total, title, unit, done):
        self.bar = tqdm(total=total, desc=title, unit=f" {unit}", initial=done, unit_scale=True)
        self.advanced = False

    def advance(self, amount, note=""):
        self.bar.set_postfix_str(note, refresh=False)
        if self.advanced:
            self.bar.update(amount)
        else:  # the clock of the bar begins here
            self.bar.n += amount
            self.bar.initial = self.bar.last_print_n = self.bar.n
            self.bar.unpause()
            self.bar.refresh()
            self.advanced = True

    def close(self):
        self.bar.close()


def progress(total, title, unit="steps", done=0):
    """A progress reporter with ``advance(amount, note)`` and ``close()``."""
    if _in_notebook():
        return _Cell(total, title, unit, done)
    return (_Bar if sys.stderr.isatty() else _Lines)(total, title, unit, done)


def _in_notebook():
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None
