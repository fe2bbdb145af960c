"""Every figure of a run with its caption, which says what cannot be guessed, and the paper's number where it has one.

A page has a folder of its own with ``NAME.pdf``, ``NAME.png`` and the captions of all. Nothing is read from names,
which are the users'.
"""

from pathlib import Path

from amortmix.storage.files import read_json, write_json

CAPTIONS_FILE = "captions.json"
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
#: What a figure of one model shows, and what a reader cannot guess; {} is the data set, or the part of the data sets.
CAPTIONS = {
    "calibration": "Simulation-based calibration: ranks of the truth among posterior draws, as ECDF minus uniform. "
    "The grey ellipse is where 95 % of the curves of a right posterior stay over their whole length",
    "recovery": "Recovery{}: posterior median and 95 % interval of the first held-out simulations, 500 at most, "
    "against the truth; intervals that leave the panel are cut",
    "joint": "Joint posterior{}. ABI: raw draws of the networks; PSIS: draws chosen among more of theirs by "
    "importance weight, where the weights can be relied on; MCMC where it ran; the prior on the diagonal alone. Up to "
    "1,200 draws of each are points, all make the curves; axes hold the central 99 % of the draws of every method",
    "states": "Hidden classes or states{}: lines are medians, bands hold the central 95 % (classes) or 99 % (states) "
    "of a unit's probabilities over posterior draws; those of ABI were chosen by importance weight, where the weights "
    "can be relied on. Ticks and coloured points: the truth, where it is known",
    "predictive": "Posterior predictive check{}: observations, and 400 data sets simulated from the fit, as the "
    "median and the central 95 % of the counts in each bin",
    "contraction": "What the data teach: posterior z-score against contraction, a point for each held-out simulation; "
    "at 0 the data say nothing beyond the prior, at 1 all",
    "gap": "Amortization gap by region: the true values of each parameter in six parts with equally many held-out "
    "data sets, means with two standard errors",
    "learning_curve": "Losses on training batches and on held-out simulations. The two need not agree, for they are "
    "not of the same data sets: what is trained on may be simulated from a proposal or corrupted, as the list above "
    "says, which moves the posterior's loss by some tenths of a nat; the MMD of a small batch is larger than that of "
    "many data sets by chance alone. The largest losses, those of the first steps, lie above the panels",
    "reliability": "How often a state is the true one, against its predicted probability, over all units of the "
    "held-out simulations; ECE is the mean distance from the diagonal",
    "cost": "CPU seconds of one core: a fit by each method, a point for each data set, and many fits with the "
    "training of the networks included",
}


class Figures:
    """Writes the figures of one page, and what `CAPTIONS_FILE` keeps beside them.

    Parameters
    ----------
    folder : path
        Of this page alone.
    """

    def __init__(self, folder):
        self.folder, self.captions = Path(folder), {}

    def save(self, figure, name, caption):
        """Write a figure and its caption, and show both in the page."""
        import matplotlib.pyplot as plt
        from IPython.display import Markdown, display

        from amortmix.plots.style import save

        save(figure, self.folder, name)
        self.captions[name] = caption
        write_json(self.folder / CAPTIONS_FILE, self.captions)
        display(figure, Markdown(f"*{caption}.*"))
        plt.close(figure)


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
        super().__init__(folder)
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
        self.save(figure, f"{name}_{about.split()[0]}" if about else name, caption)


def captions_of(folder):
    """{figure: caption} of a page's folder, empty as long as the page has drawn nothing."""
    path = Path(folder) / CAPTIONS_FILE
    return read_json(path) if path.is_file() else {}
