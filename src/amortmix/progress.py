"""Progress with rate and time left: a bar on a terminal, one line in a notebook, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm

#: Seconds from one line to the next, at least; the last always comes.
EVERY = 1.0


class _Lines:
    """Lines for logs and pipes."""

    def __init__(self, total, title, unit, done):
        self.total, self.title, self.unit, self.done = total, title, unit, done
        self.first, self.began, self.said = done, time.perf_counter(), -EVERY

    def advance(self, amount, note=""):
        self.done += amount
        seconds = time.perf_counter() - self.began
        if seconds < self.said + EVERY and self.done < self.total:
            return
        self.said = seconds
        rate = (self.done - self.first) / max(seconds, 1e-9)
        left = (self.total - self.done) / max(rate, 1e-9)
        share = 100 * self.done / max(self.total, 1)
        digits = 0 if rate >= 10 else 2
        self.say(
            f"{self.title}: {self.done:,}/{self.total:,} {self.unit} ({share:.0f} %), "
            f"{rate:,.{digits}f}/s, {left / 60:.1f} min left{', ' + note if note else ''}"
        )

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

    def advance(self, amount, note=""):
        self.bar.set_postfix_str(note, refresh=False)
        self.bar.update(amount)

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
