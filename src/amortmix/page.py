"""A page of a fit: one HTML file with its pictures inside, the verdict first.

verdict    data and states    posterior    predictive check    what to be careful about    how it was made
"""

import base64
import html
import io
from importlib.metadata import version

import numpy as np

from amortmix.extras import HOW, missing
from amortmix.inference.fit import USABLE

STYLE = """
body {font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222}
img {max-width: 100%} table {border-collapse: collapse; margin: 1rem 0} tr {border-bottom: 1px solid #ddd}
td, th {padding: .2rem .7rem; text-align: right} td:first-child, th:first-child {text-align: left}
.verdict {padding: .6rem 1rem; color: #fff} .good {background: #2a7a4f} .bad {background: #b3401b}
.table {overflow-x: auto} li {margin: .3rem 0} code {background: #f3f3f3}
"""

#: What a verdict asks of its reader.
ADVICE = {
    "ABI": "The networks know such data; their importance weights have little to correct.",
    "PSIS": "The draws are corrected by importance weights. The data or their design are unusual for the networks, or "
    "these are too far off, which does no harm as long as the weights can be relied on.",
    "MCMC": "Do not use these draws. Run MCMC on the same declaration (nets.mcmc), or mend what the warnings name.",
    "UNRELIABLE": "Do not use these draws: no density can be relied on by which they could be checked or corrected.",
    "CONVERGED": "Chains agree with each other.",
    "NOT CONVERGED": "Chains do not agree: run them longer.",
}


def page(fit, name, quality=None):
    """Text of the page of one fit.

    Parameters
    ----------
    fit : Fit
    name : str
        Of the data set.
    quality : dict, optional
        A validation of its networks, as in ``metrics.json``.
    """
    sections = [
        (
            "Data and states",
            [_shares(fit), _picture(fit.plot_states(), "data, and probabilities of the states of every unit")],
        ),
        (
            "Parameters",
            [_table(fit.summary()), _picture(fit.plot_posterior(), "marginals and pairs of the parameters")],
        ),
        ("Does the model describe the data?", [_predictive(fit)]),
        ("What to be careful about", [_list([ADVICE[fit.verdict], *fit.warnings, *map(_noted, fit.notes)])]),
        ("How it was made", [_list(_made(fit, quality))]),
    ]
    body = "".join(f"<h2>{title}</h2>{''.join(parts)}" for title, parts in sections)
    kind = "good" if fit.verdict in USABLE else "bad"
    verdict = f'<p class="verdict {kind}"><b>{fit.verdict}</b>: {html.escape(fit.reason)}</p>'
    return _document(f"{name}: {fit.tree.attrs['model'].replace('_', ' ')}", verdict + body)


def index(fits, pages):
    """Text of the page of many fits, with links to those of single ones.

    Parameters
    ----------
    fits : Fits
    pages : {name: str}
        Address of the page of each, where there is one.
    """
    frame = fits.summary()
    named = [c for c in frame if c.endswith(" mean")]
    frame = frame[["verdict", *named, "pareto_k", "reason"]].copy()
    link = {n: f'<a href="{html.escape(a, quote=True)}">{html.escape(str(n))}</a>' for n, a in pages.items()}
    frame["reason"] = frame["reason"].map(html.escape)
    advice = _list(f"{verdict}: {ADVICE[verdict]}" for verdict in frame["verdict"])
    frame.index = [link.get(n, html.escape(str(n))) for n in frame.index]
    problems = _list(fits.problems.values()) if fits.problems else ""
    picture = _picture(fits.plot(), "mean and 95 % interval of every parameter")
    return _document(f"{len(fits)} data sets", picture + advice + _table(frame, escape=False) + problems)


def _document(title, body):
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{html.escape(title)}</h1>{body}</body></html>\n'
    )


def _picture(figure, words):
    """A figure inside the page, with words for those who cannot see it; it is closed."""
    import matplotlib.pyplot as plt

    written = io.BytesIO()
    figure.savefig(written, format="png", bbox_inches="tight", dpi=110)
    plt.close(figure)
    return f'<p><img alt="{words}" src="data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"></p>'


def _table(frame, escape=True):
    options = {"border": 0, "escape": escape, "index_names": False, "float_format": "{:.4g}".format}
    return f'<div class="table">{frame.to_html(**options)}</div>'


def _list(sentences):
    return f"<ul>{''.join(f'<li>{html.escape(str(s))}</li>' for s in dict.fromkeys(sentences))}</ul>"


def _noted(note):
    return f"Not taken as an observation: {note}"


def _shares(fit):
    """How many units there are, and how they are spread over the states."""
    mean = fit.tree["latent_probabilities"][fit.head].sel(statistic="mean").values
    shares = ", ".join(
        f"{100 * p:.0f} % {s}" for s, p in zip(fit.tree["latent_probabilities"]["state"].values, mean.mean(0))
    )
    sure = 100 * np.mean(mean.max(1) > 0.95)
    left_out = fit.tree.attrs.get("not_observed", 0)
    units = f"{len(mean)} units" + (f", {left_out} of them not observed" if left_out else "")
    known = f"The state of {sure:.0f} % of them has a probability above 95 %."
    return f"<p>{html.escape(f'{units}: on average {shares}. {known}')}</p>"


def _predictive(fit):
    if name := missing():
        return f"<p>Replicated data sets need {name}: <code>{HOW}</code></p>"
    words = "Observed values among those of data sets that the fitted model makes"
    return f"<p>{words}.</p>{_picture(fit.plot_predictive(), words)}"


def _made(fit, quality):
    """Sentences about networks, draws and versions."""
    attrs = fit.tree.attrs
    found = [f"model {attrs['model']}, prior {attrs.get('priors', '')}; {len(fit.theta):,} draws"]
    if "networks" in attrs:
        found.append(f"networks: {attrs['networks']}")
    if "pareto_k" in attrs:
        worth = f"{attrs['proposals']:,.0f} proposals worth {attrs['proposals_ess']:,.0f} draws"
        own = f"Pareto k-hat {attrs['pareto_k']:.2f}"
        if attrs.get("adapted"):
            own += f" of the networks, {attrs['proposals_k']:.2f} of proposals adapted to the data"
        found.append(f"{own}, {worth}")
        found.append(f"log evidence {attrs['log_evidence']:.2f} ± {attrs['log_evidence_se']:.2f} nats")
    if "mmd_p" in attrs:
        found.append(f"MMD p = {attrs['mmd_p']:.3f}: how many simulated data sets are as far from the others")
    if "states_draws" in attrs:
        error = f"error of a mean at most {attrs['states_error']:.3f}"
        found.append(f"state probabilities over {attrs['states_draws']:,.0f} draws, {error}")
    if quality and "gap_nats" in quality:
        gap = quality["gap_nats"]
        found.append(
            f"on simulations these networks have a gap of {gap['mean']:.3f} ± {gap['se']:.3f} nats per data set"
        )
    return [*found, f"amortmix {version('amortmix')}"]
