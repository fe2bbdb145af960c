"""Every figure of a run with its caption, under the heading where a reader looks for it.

A figure's file name says what it shows: ``fig14_joint_dutilh_C`` or ``gaussian_hmm_gap``, see `figure_number`.
The gallery is HTML that refers to the files.
"""

import html
import re
from pathlib import Path

from amortmix.cases import CASES

#: Figures of the paper by case study and content.
FIGURES = {
    "gaussian_mixture": {"calibration": 4, "recovery": 5, "joint": 6, "states": 7},
    "gaussian_hmm": {"calibration": 8, "recovery": 9, "joint": 10, "states": 11},
    "evidence_accumulation": {"calibration": 12, "recovery": 13, "joint": 14, "states": 17},
}
#: The paper shows C as typical, B as slightly biased, A as beyond correction.
PAPER_FIGURE = {"C": 14, "B": 15, "A": 16}
#: What a figure of one case study shows; {} is the data set or variant in its name.
CASE_CAPTIONS = {
    "calibration": "Simulation-based calibration: ranks of the truth among posterior draws, as ECDF minus uniform, in "
    "simultaneous 95 % bands",
    "recovery": "Recovery: posterior median and 95 % interval of held-out simulations against the truth{}; intervals "
    "that leave the panel are cut",
    "joint": "Joint posterior{}: ABI, MCMC, the prior, and ABI corrected by importance weights (PSIS) where these can "
    "be relied on",
    "states": "Hidden classes or states{}: median and 95 % band of their probabilities over posterior draws",
    "gap": "Amortization gap in six parts of the range of each parameter, with two standard errors",
    "learning_curve": "Losses on training batches and on held-out simulations",
    "reliability": "How often a state is the true one, against its predicted probability; ECE is the mean distance",
    "cost": "Seconds of one fit by either method, and hours of many fits with training included",
}
#: Heading and caption of all others, and the page that draws them.
OTHER_CAPTIONS = {
    "c2st": ("Participants", "C2ST of ABI against MCMC, before and after PSIS; 0.5 is indistinguishable", "table1"),
    "mmd_null": (
        "Participants",
        "Do participants look like the simulations? MMD of each, below its null distribution",
        "table1",
    ),
    "posterior_predictive": (
        "Participants",
        "Response times by response and state: observed, and predicted by the fit",
        "evidence_accumulation",
    ),
    "smoothing_rules": ("Smoothing", "Three rules for the same filters, beside the exact smoother", "smoothing"),
    "smoothing_participants": ("Smoothing", "Error of the three rules for each participant", "smoothing"),
    "workflow": ("Workflow", "Which rule feeds which", "report"),
}
_CASE_FIGURE = re.compile(rf"(?:fig(\d+)|({'|'.join(CASES)}))_({'|'.join(CASE_CAPTIONS)})_?(.*)")


def figure_number(case, kind, dataset=""):
    """``fig14_joint`` and so on, with the number that the paper gives to this content, or the case study's name."""
    number = FIGURES.get(case, {}).get(kind)
    if kind == "joint" and case == "evidence_accumulation":
        number = PAPER_FIGURE.get(dataset.rsplit("_", 1)[-1])
    return f"fig{number:02d}_{kind}" if number else f"{case}_{kind}"


def _describe(stem):
    """Heading, caption and page of a figure file, from its name; None is the page of a figure that is not known."""
    if found := _CASE_FIGURE.fullmatch(stem):
        number, case, kind, rest = found.groups()
        number = int(number or 0)
        case = case or next((c for c, kinds in FIGURES.items() if number in kinds.values()), "evidence_accumulation")
        words = CASE_CAPTIONS[kind].format(
            f", {rest}{' separated states' if kind == 'recovery' else ''}" if rest else ""
        )
        known = number in (*FIGURES[case].values(), *PAPER_FIGURE.values())
        return CASES[case].title, words + (f" (figure {number} of the paper)" if known else ""), case
    if (case := stem.removeprefix("ablation_")) != stem and case in CASES:
        title = CASES[case].title
        return "Ablation", f"{title}: what each change of the recipe costs, with two standard errors", "ablation"
    return OTHER_CAPTIONS.get(stem, ("More", stem.replace("_", " "), None))


def caption(stem):
    """Heading and caption of a figure file, from its name."""
    return _describe(stem)[:2]


def clear_figures(folder, page):
    """Remove the figures that an earlier run of a page drew: of other data sets, which nobody would draw again."""
    for path in Path(folder).glob("*"):
        if _describe(path.stem)[2] == page:
            path.unlink()


def figure_gallery(folder, page_folder):
    """Every PNG of a folder with its caption, as links relative to the page, case studies first."""
    first = [CASES[case].title for case in FIGURES] + ["Participants", "Smoothing", "Ablation", "Workflow"]
    groups = {heading: [] for heading in first}
    # figures with the paper's numbers first
    for path in sorted(Path(folder).glob("*.png"), key=lambda p: (not p.stem.startswith("fig"), p.stem)):
        heading, words = caption(path.stem)
        source, words = path.relative_to(page_folder).as_posix(), html.escape(words)
        groups.setdefault(heading, []).append(
            f'<figure><a href="{source}"><img loading="lazy" src="{source}" alt="{words}"></a>'
            f"<figcaption>{words}.</figcaption></figure>"
        )
    return "\n".join(f"<h3>{html.escape(h)}</h3>\n" + "\n".join(parts) for h, parts in groups.items() if parts)
