"""Tables of published numbers that stand inside written pages."""

import json

import pandas as pd

from pages.markdown import table

PUBLISHED = "results/published"
CASES = {"gaussian_mixture": "case study 1", "gaussian_hmm": "case study 2", "evidence_accumulation": "case study 3"}


def tables(root):
    """{path: text} of all of them."""
    made = {"points": points(root), "ablation": ablation(root), "smoothing": smoothing(root)}
    return {f"tables/{name}.md": text for name, text in made.items()}


def points(root):
    """Scores of point estimates to those of draws, worst parameter, and data sets per second."""
    scores = pd.read_csv(root / PUBLISHED / "points" / "scores.csv").set_index(["case", "parameter", "method"])
    costs = pd.read_csv(root / PUBLISHED / "points" / "costs.csv", index_col="case")
    rows = []
    for case, words in CASES.items():
        own = scores.loc[case].unstack("method")
        worst = [(own[s]["points"] / own[s]["draws"]).max() for s in ("RMSE", "interval score")]
        cost = costs.loc[case]
        covered = own["coverage"]["points"]
        rows.append(
            [
                words,
                *(f"{w:.3f}" for w in worst),
                f"{covered.min():.2f} to {covered.max():.2f}",
                f"{cost.estimates_per_second:,.0f} ({cost.draws_per_second:.0f})",
                f"{cost.training:.0f}",
            ]
        )
    head = [
        "",
        "RMSE of the mean",
        "interval score",
        "coverage of 90 %",
        "data sets per second (draws)",
        "CPU s of training",
    ]
    return table(head, rows)


def ablation(root):
    """What each changed choice loses in each case study."""
    found = pd.read_csv(root / PUBLISHED / "ablation" / "ablation.csv")
    found = found[found.variant != "recipe as it is"]
    cells = {(r.variant, r.case): f"{r.loss:+.2f} ± {r.loss_se:.2f}" for r in found.itertuples()}
    choices = dict(zip(found.variant, found.group))
    rows = [[group, v, *(cells.get((v, case), "–") for case in CASES)] for v, group in choices.items()]
    return table(["choice", "in place of the recipe's", *CASES.values()], rows)


def smoothing(root):
    """Errors of the smoothing rules in the published run."""
    rows = []
    for path in sorted((root / PUBLISHED / "default_shipped").glob("*/*/validation/metrics.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if "smoothing_errors" not in metrics:
            continue
        case, prior = CASES[path.parents[1].name], path.parents[2].name
        for source, words in (("exact_filters", "exact filters"), ("networks", "networks")):
            errors = metrics["smoothing_errors"]
            found = [
                errors[rule][source]["mean_absolute_error"]
                for rule in ("exact", "filtering alone", "printed", "shifted")
            ]
            rows.append([f"{case}, {prior}", words, *(f"{e:.4f}" for e in found)])
    return table(["case study, priors", "with", "exact rule", "filtering alone", "printed rule", "shifted rule"], rows)
