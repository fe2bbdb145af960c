"""Every figure of a run with its caption, under the heading where a reader looks for it.

The page that draws a figure writes ``NAME.json`` beside ``NAME.pdf`` and ``NAME.png``: the page, a heading, a caption
and, where the paper has this figure, its number. Nothing is read from names, which are the users'.
"""

import html
from pathlib import Path

from amortmix.storage.files import read_json, write_json

#: Figures of the paper: (model, content) -> number.
FIGURES = {
    ("gaussian_mixture", "calibration"): 4,
    ("gaussian_mixture", "recovery"): 5,
    ("gaussian_hmm", "calibration"): 8,
    ("gaussian_hmm", "recovery"): 9,
    ("evidence_accumulation", "calibration"): 12,
    ("evidence_accumulation", "recovery"): 13,
}
#: Figures of single data sets: (source, content) -> number. The paper shows C as typical, B as slightly biased, A as
#: beyond correction.
DATA_SET_FIGURES = {
    ("demo:gmm_demo", "joint"): 6,
    ("demo:gmm_demo", "states"): 7,
    ("demo:hmm_demo", "joint"): 10,
    ("demo:hmm_demo", "states"): 11,
    ("participant:C", "joint"): 14,
    ("participant:B", "joint"): 15,
    ("participant:A", "joint"): 16,
    **{(f"participant:{letter}", "states"): 17 for letter in "ABCDEFGHIJK"},
}
#: What a figure of one model shows; {} is the data set, or the part of the data sets.
CAPTIONS = {
    "calibration": "Simulation-based calibration: ranks of the truth among posterior draws, as ECDF minus uniform, in "
    "simultaneous 95 % bands",
    "recovery": "Recovery: posterior median and 95 % interval of held-out simulations against the truth{}; intervals "
    "that leave the panel are cut",
    "joint": "Joint posterior{}: ABI, MCMC where it ran, the prior, and ABI corrected by importance weights (PSIS) "
    "where these can be relied on",
    "states": "Hidden classes or states{}: median and band of their probabilities over posterior draws",
    "predictive": "Posterior predictive check{}: observations, and data sets simulated from the fit",
    "gap": "Amortization gap in six parts of the range of each parameter, with two standard errors",
    "learning_curve": "Losses on training batches and on held-out simulations",
    "reliability": "How often a state is the true one, against its predicted probability; ECE is the mean distance",
    "cost": "CPU seconds of one fit by each method, and of many fits with training included",
}
#: Headings that come first in the report, in this order.
FIRST = (
    "Gaussian mixture model",
    "Gaussian hidden Markov model",
    "Latent switches in cognitive processing",
    "Latent switches between guessing and leaky competing accumulators",
)
LAST = (
    "Participants",
    "Smoothing",
    "Ablation",
    "How many components",
    "Indicators first",
    "An epidemic",
    "Published data of other fields",
    "Spatial example",
    "Break-even",
    "Workflow",
)


class Figures:
    """Writes the figures of one page, each with its caption.

    Parameters
    ----------
    folder : path
    page : str
        The page that draws them, which clears them before it draws again.
    heading : str
        Under which the report shows them.
    """

    def __init__(self, folder, page, heading):
        self.folder, self.page, self.heading = Path(folder), page, heading

    def save(self, figure, name, caption, number=None):
        """Write a figure; ``number`` is that of the paper's figure with this content."""
        from amortmix.plots.style import save

        save(figure, self.folder, name)
        entry = {"page": self.page, "heading": self.heading, "caption": caption, "number": number}
        write_json(self.folder / f"{name}.json", entry)


class ModelFigures(Figures):
    """Figures of one model and its data sets, named after their content.

    Parameters
    ----------
    folder : path
    model : Model
    sources : dict
        Data set -> its source, as in ``config/datasets.tsv``.
    """

    def __init__(self, folder, model, sources):
        super().__init__(folder, model.name, model.title)
        self.model, self.sources = model, sources

    def add(self, figure, kind, dataset=None, part=None):
        """Write a figure of one of the kinds in `CAPTIONS`, of a data set or of a part of the simulations."""
        number = FIGURES.get((self.model.name, kind))
        about = part
        if dataset is not None:
            # participants under another model than the paper's are no figure of the paper
            of_paper = any(name == self.model.name for name, _ in FIGURES)
            number, about = DATA_SET_FIGURES.get((self.sources[dataset], kind)) if of_paper else None, dataset
        name = f"fig{number:02d}_{kind}" if number else f"{self.model.name}_{kind}"
        caption = CAPTIONS[kind].format(f", {about}" if about else "")
        if number:
            caption += f" (as figure {number} of the paper)"
        self.save(figure, f"{name}_{about.split()[0]}" if about else name, caption, number)


def _entries(folder):
    """(path without suffix, manifest) of every figure of a folder that has a caption, in order of their names."""
    return [(p.with_suffix(""), read_json(p)) for p in sorted(Path(folder).glob("*.json"))]


def clear_figures(folder, page):
    """Remove the figures that an earlier run of a page drew: of other data sets, which nobody would draw again."""
    for path, entry in _entries(folder):
        if entry["page"] == page:
            for suffix in (".pdf", ".png", ".json"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)


def figure_gallery(folder, page_folder):
    """Every figure of a folder with its caption, as links relative to the page, the paper's models first."""
    groups = {heading: [] for heading in FIRST}
    # figures with the paper's numbers first
    entries = sorted(_entries(folder), key=lambda e: (e[1]["number"] or 99, e[0].name))
    headings = [e["heading"] for _, e in entries]
    for heading in [*(h for h in headings if h not in LAST), *LAST]:
        groups.setdefault(heading, [])
    for path, entry in entries:
        source = Path(f"{path}.png").relative_to(page_folder).as_posix()
        source, words = html.escape(source), html.escape(entry["caption"])
        groups[entry["heading"]].append(
            f'<figure><a href="{source}"><img loading="lazy" src="{source}" alt="{words}"></a>'
            f"<figcaption>{words}.</figcaption></figure>"
        )
    return "\n".join(f"<h3>{html.escape(h)}</h3>\n" + "\n".join(parts) for h, parts in groups.items() if parts)
