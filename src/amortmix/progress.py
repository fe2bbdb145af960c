"""Progress with rate and time left: a bar on a terminal, plain lines elsewhere."""

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
        print(
            f"{self.title}: {self.done:,}/{self.total:,} {self.unit} ({share:.0f} %), "
            f"{rate:,.{digits}f}/s, {left / 60:.1f} min left{', ' + note if note else ''}",
            flush=True,
        )

    def close(self):
        pass


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
    kind = _Bar if sys.stderr.isatty() else _Lines
    return kind(total, title, unit, done)
