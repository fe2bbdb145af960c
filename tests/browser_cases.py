"""What tests of the page in the browser share: Node, Chromium, and small files of every kind that people bring."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amortmix.browser.assemble import BUILT

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "page"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (PAGE / "node_modules" / "onnxruntime-web").is_dir(),
    reason="needs Node.js and the packages of the page: make page",
)


def lacking():
    """What is not here of what drives the page in a browser, as a reason; None where all is."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "needs Playwright"
    if CHROMIUM is None:
        return "needs Chromium"
    return None if (BUILT / "index.html").is_file() else "the page is not built: make page"


def node(script, *arguments, given=None):
    """What a script of the page's tests prints, line by line, from JSON."""
    command = ["node", PAGE / "test" / script, *arguments]
    said = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=300)
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def person(letter, rows=120):
    """Trials of a participant of Dutilh et al. (2011)."""
    frame = pd.read_csv(ROOT / "data" / "dutilh2011" / f"dutilh_2010_subject_{letter}.csv")
    return frame[["rt", "accumulator"]].head(rows)


def chain(units=100, seed=4):
    """Three observations a unit of a chain of two states, with means of -1.2 and 1.1."""
    random, z = np.random.default_rng(seed), [0]
    for stays in random.random(units - 1) < 0.85:
        z.append(z[-1] if stays else 1 - z[-1])
    values = random.normal(np.array([-1.2, 1.1])[z][:, None], 1, (units, 3)).round(3)
    return pd.DataFrame({"unit": np.repeat(range(1, units + 1), 3), "y": values.ravel()})


def cases(folder):
    """{name: (model, file, how it is read)} of files that are fitted or refused, written into a folder."""
    clean, found = person("F"), {}

    def keep(name, model, text, **reading):
        path = folder / f"{name}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        found[name] = (model, path, reading)

    rt = "evidence_accumulation"
    text = clean.to_csv(index=False)
    keep("clean", rt, text)
    keep("anticipation", rt, clean.assign(rt=clean["rt"].where(clean.index != 90, 0.012)).to_csv(index=False))
    keep("limits", rt, (folder / "anticipation.csv").read_text(), keep={"rt": (0.05, None)})
    numbered = clean.assign(trial=range(1, len(clean) + 1))
    numbered.loc[[10, 50, 51], ["rt", "accumulator"]] = np.nan
    keep("missing", rt, numbered.to_csv(index=False))
    keep("gaps", rt, numbered.dropna().to_csv(index=False))
    keep("semicolons", rt, text.replace(",", ";").replace(".", ","))
    keep("spreadsheet", rt, ("sep=;\n" + text.replace(",", ";") + ";\n;\n").encode("utf-16"))
    names = {"rt": "RT", "accumulator": "Correct"}
    other = clean.assign(accumulator=2 - clean["accumulator"], rt=(1000 * clean["rt"]).round()).rename(columns=names)
    keep("names_unknown", rt, other.to_csv(index=False))
    keep("codes_unknown", rt, other.to_csv(index=False), columns=names)
    codes = {"accumulator": {"1": 1, "0": 2}}
    keep("names", rt, other.to_csv(index=False), columns=names, codes=codes, scale={"rt": 0.001})
    keep("milliseconds", rt, other.to_csv(index=False), columns=names, codes=codes)
    lines = text.splitlines()
    keep("bad", rt, "\n".join(["", "", *lines[:61], "-0.2,1", *lines[61:]]))
    keep("words", rt, text.replace(f"\n{lines[5]}\n", "\nfast,1\n", 1))
    keep("surplus", rt, text.replace(f"\n{lines[5]}\n", f"\n{lines[5]},7\n", 1))
    keep("empty", rt, "\n\n")
    keep("open_quote", rt, text + '"0.5,1\n')
    people = pd.concat([person(s, 70).assign(subject=s) for s in "BCD"])
    keep("pooled", rt, people.to_csv(index=False))
    keep("people", rt, people.to_csv(index=False), by="subject")
    keep("workbook", rt, b"PK\x03\x04" + bytes(40))
    sessions = chain().assign(session=lambda f: np.where(f["unit"] > 60, "late", "early"))
    keep("sessions_pooled", "gaussian_hmm", sessions.to_csv(index=False))
    keep("sessions", "gaussian_hmm", sessions.to_csv(index=False), sequence="session")
    keep("holes", "gaussian_hmm", chain().query("not 40 < unit <= 50").to_csv(index=False))
    keep("disorder", "gaussian_hmm", chain().iloc[::-1].to_csv(index=False))
    keep("classes", "gaussian_mixture", chain(units=80, seed=5).to_csv(index=False))
    # where proposals are adapted: too far off for states of the networks, and where the flow knows only a few digits
    keep("shifted", "gaussian_mixture", chain().assign(y=lambda f: f["y"] - 6).to_csv(index=False))
    keep("narrow", "gaussian_mixture", chain().assign(y=lambda f: f["y"] / 10).to_csv(index=False))
    fast = person("F", 340)
    fast.loc[20, "rt"] = 0.012
    keep("long_anticipation", rt, fast.to_csv(index=False))
    return found
