"""The README: every number is one of the published files, and every link of the project's texts leads somewhere."""

import json
import re
import statistics
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
TEXTS = [*ROOT.glob("*.md"), *ROOT.glob(".github/**/*.md")]
TEXTS += [p for name in ("docs", "data", "envs", "results/published") for p in (ROOT / name).rglob("*.md")]
TEXTS = sorted(p for p in TEXTS if not {"_build", "tables"} & set(p.parts))

#: Numbers of the README that no file has: versions, years, sizes of the paper's data, limits of a definition.
KNOWN = {"3.12", "2026", "2011", "100", "1", "3", "0.5"}


def comparisons():
    folder = ROOT / "results/published/default_shipped/paper/evidence_accumulation/fits"
    return [json.loads(p.read_text()) for p in folder.glob("dutilh_*/comparison.json")]


def mean_of(part, method):
    found = pd.read_csv(ROOT / "results/published/benchmark/benchmark.csv")
    return found[(found.part == part) & (found.method == method)].value.mean()


def gap_of(model):
    path = ROOT / "src/amortmix/pretrained/paper" / model / "metrics.json"
    return json.loads(path.read_text())["gap_nats"]["mean"]


def claims():
    """What the README must say, from the files."""
    people = comparisons()
    fine = sum(c["pareto_k"] <= 0.7 for c in people)
    raw, weighted = (statistics.median(c[key] for c in people) for key in ("c2st", "c2st_psis"))
    ours, stan, nuts = (mean_of("eleven fits", m) for m in ("amortmix", "Stan", "NUTS of NumPyro"))
    own = json.loads((ROOT / "results/published/fields/pay_off.json").read_text())
    trials = len(pd.read_csv(ROOT / "results/published/fields/pay_off_units.csv"))
    shift, fit, nuts_fit = (own[k] for k in ("largest_shift_sd", "fit_seconds", "mcmc_seconds"))
    gaps = [gap_of(m) for m in ("gaussian_mixture", "gaussian_hmm", "evidence_accumulation")]
    return [
        f"{fine} of {len(people)}",
        f"{raw:.3f} for raw draws and {weighted:.3f} for weighted ones",
        f"of 400 trials, 4,000 draws each with the probabilities of their states, take {ours:.1f} s on two cores",
        f"Stan (PyStan) {stan:.0f} s and NUTS (NumPyro) {nuts:.0f} s",
        "`make benchmark`, 26 November 2026",
        f"that have seen {own['data_sets']:,} simulations",
        f"the means of {trials:,} trials to within {shift:.2f} posterior sd",
        f"in {fit:.1f} s instead of {nuts_fit:.0f} s of CPU",
        "{:.3f}, {:.3f} and {:.3f} nats per data set".format(*gaps),
    ]


def prose(text):
    """Text without code, pictures and the targets of links, on one line."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(?<=\])\([^)]*\)", "", text)
    return " ".join(text.split())


def test_numbers_are_those_of_the_published_files():
    text = prose((ROOT / "README.md").read_text(encoding="utf-8"))
    for claim in claims():
        assert claim in text
        text = text.replace(claim, "")
    assert set(re.findall(r"(?<![\w.])\d+(?:[.,]\d+)*", text)) <= KNOWN


def test_it_is_short():
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") <= 90


def anchor(heading):
    """The anchor of a heading, as forges and MyST make it."""
    words = re.sub(r"[`*$]|\]\([^)]*\)|\[", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {anchor(h) for h in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    """To files and headings; copies of notebooks are made and checked where the site is built."""
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(
        r"^```\{(?:image|include)\} (\S+)", text, flags=re.MULTILINE
    )
    for link in links:
        target, _, heading = link.partition("#")
        if target.startswith(("http:", "https:", "mailto:")) or "generated/notebooks/" in target:
            continue
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), f"{path}: {link}"
        if heading:
            assert heading in anchors(found), f"{path}: {link}"
