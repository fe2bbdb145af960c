"""Words and small tables for the notebooks, computed from results, and the claims they check."""

from collections import Counter

import jax
import numpy as np
import pandas as pd

from amortmix.diagnostics.quality import JOINT
from amortmix.networks.classifiers import RULES, smoothing
from amortmix.storage import files, tree
from amortmix_paper.participants import letter_of

#: The paper's Pareto k-hat needs a Monte Carlo margin when posterior means are compared, in posterior sd.
MEAN_TOLERANCE = 0.5


def answer(metrics, comparisons):
    """The result of a model in a few sentences."""
    calibrated = "inside" if metrics["sbc"]["inside"] else "outside"
    text = f"The ranks of {metrics['datasets']} simulated data sets lie {calibrated} their simultaneous bands"
    if "gap_nats" in metrics:
        gap = metrics["gap_nats"]
        text += f", and the flow gives away {gap['mean']:.2f} ± {gap['se']:.2f} nats per data set. "
    else:
        text += "; without a density nothing more exact can be said of the parameters. "
        if judged := [c["local_inside"] for c in comparisons.values() if c.get("local_inside") is not None]:
            text += f"Simulations from the posterior of each of {len(judged)} data sets show no fault of the networks "
            text += f"around {sum(judged)} of them. "
    words = Counter(c["verdict"] for c in comparisons.values())
    if words:
        text += f"Verdicts on the data sets: {', '.join(f'{n} {word}' for word, n in words.items())}. "
    scores = [c["c2st"] for c in comparisons.values() if c["c2st"] is not None]
    if not scores:
        return text + "MCMC was not run."
    text += f"Against MCMC the median C2ST is {np.median(scores):.2f}"
    corrected = [c["c2st_psis"] for c in comparisons.values() if c["c2st_psis"] is not None]
    return text + (f", and {np.median(corrected):.2f} after importance weighting." if corrected else ".")


def table_answer(comparisons, priors, trouble):
    """Table 1 in one sentence."""
    if not comparisons:
        return f"There is no table: {trouble or 'the list of data sets has no participants'}."
    words = [c["verdict"] for c in comparisons.values()]
    text = (
        f"Of {len(words)} participants, {words.count('ABI')} can be used as they are, {words.count('PSIS')} after "
        f"importance weighting, and {len(words) - words.count('ABI') - words.count('PSIS')} need MCMC."
    )
    if priors != "reference":
        text += " These are the printed priors; the published values belong to `reference`."
    return text


def card_lines(card, history):
    """The model card as a short list.

    Parameters
    ----------
    card : dict
    history : DataFrame
        The learning curve.
    """
    schedule = card["recipe"]["schedule"]
    proposal, misfit = schedule.get("proposal", {}), schedule.get("misfit", 0)
    simulated = ", ".join(f"{name} = {value}" for name, value in proposal.items())
    device = ", ".join(dict.fromkeys(card["device"].split(": ")))  # platform and kind, which may be the same word
    notes = []
    if proposal:
        notes.append(f"- half of the data sets trained on last are simulated with {simulated}, none of those held out")
    if misfit:
        notes.append(f"- {misfit:.0%} of the data sets trained on last are corrupted, none of those held out")
    if skipped := int(history["skipped"].sum()):
        steps = int(history["step"].iloc[-1])
        notes.append(f"- {skipped:,} of the {steps:,} steps of this curve were left out: their gradient was not finite")
    return "\n".join(
        [
            f"- preset `{card['preset']}`, priors `{card['priors']}`, seed {card['seed']}, device {device}",
            f"- {card['steps']:,} steps on {card['data_sets']:,} simulated data sets in {card['seconds'] / 60:.1f} "
            f"minutes by the clock ({card['data_sets_per_second']:,.0f} data sets/s); {_cpu_minutes(card)}",
            f"- trained on N = {files.span(card['units'])} units with "
            f"P = {files.span(card['observations'])} observations each",
            *notes,
        ]
    )


def _cpu_minutes(card):
    """What a training took of its process, in words."""
    seconds = card.get("cpu_seconds")
    return "CPU minutes are not known" if seconds is None else f"{seconds / 60:.1f} CPU minutes of one process"


def validation_line(metrics, shipped):
    """How the networks were validated; ``shipped`` says that their validation came with them."""
    settings = metrics["settings"]
    text = (
        f"Measured on {settings['datasets']:,} held-out data sets with {settings['draws']:,} draws of each, "
        f"seed {metrics['seed']}"
    )
    if not shipped:
        return f"{text}."
    return (
        f"{text}. This validation ships with the networks: the seed of this run has no part in it. "
        "`--config revalidate=true` makes one of its own."
    )


def path_lines(metrics):
    """What is known of the joint calibration of theta and the indicators, as a list."""
    lines = []
    for key, words in JOINT.items():
        if key in metrics:
            inside = "inside" if metrics[key]["inside"] else "outside"
            lines.append(
                f"- The rank of the true {words}, among draws with theta *and* the indicators from the networks, "
                f"lies {inside} its simultaneous 95 % band."
            )
    return "\n".join(lines)


def verdict_table(comparisons):
    """Diagnostics of each data set as a styled table."""
    columns = {
        "mmd_p": "MMD p",
        "pareto_k": "k-hat",
        "c2st": "C2ST",
        "c2st_psis": "C2ST PSIS",
        "rhat_max": "R-hat",
        "divergences": "divergences",
        "verdict": "verdict",
        "reason": "reason",
        "warnings": "warnings",
    }
    rows = {name: {words: c[key] for key, words in columns.items()} for name, c in comparisons.items()}
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns.values()))
    return frame.style.format(precision=3, na_rep="–")


def chosen_data_sets(sources, comparisons):
    """Data sets to show in full, with the reason: all, but of many participants the paper's three and the best fitted.

    Parameters
    ----------
    sources : dict
        Data set -> its source.
    comparisons : dict
        Data set -> comparison.json.
    """
    reasons = {
        "C": "the paper's example of a typical participant (figure 14)",
        "B": "the paper's example of a slight bias (figure 15)",
        "A": "the paper's example of a posterior beyond correction (figures 16 and 17)",
    }
    people = {d: letter_of(s) for d, s in sources.items() if letter_of(s)}
    if len(people) <= len(reasons):
        return {d: comparisons[d]["reason"] for d in sources}
    scored = {d: comparisons[d]["pareto_k"] for d in people if comparisons[d]["pareto_k"] is not None}
    # the paper's reasons are about fits that have weights
    chosen = {
        d: reasons[letter] if d in scored else comparisons[d]["reason"]
        for d, letter in sorted(people.items(), key=lambda p: p[1], reverse=True)
        if letter in reasons
    }
    if others := {d: k for d, k in scored.items() if d not in chosen}:
        chosen[min(others, key=others.get)] = "the smallest k-hat of the other participants"
    return chosen | {d: comparisons[d]["reason"] for d in sources if d not in people}


def posterior_samples(model, abi, mcmc, seed=1):
    """Draws to show together, in the order they are drawn: prior, ABI, PSIS where it is used, MCMC.

    Parameters
    ----------
    abi, mcmc : DataTree
        Fits of one data set.

    Returns
    -------
    dict
        Name -> (S, D).
    """
    keys = jax.random.split(jax.random.key(seed), 2000)
    samples = {"prior": np.asarray(jax.jit(jax.vmap(model.sample_prior))(keys)), "ABI": tree.draws(abi, "flow")}
    if abi.attrs["posterior"] == "psis":
        samples["PSIS"] = tree.draws(abi)
    if not tree.why_not_run(mcmc):
        samples["MCMC"] = tree.draws(mcmc)
    return samples


def check_claims(model, card, abi, mcmc, comparisons):
    """Assert what the page says; yields a sentence for each claim that held."""
    for name, fit in abi.items():
        for head, p in fit["latent_probabilities"].data_vars.items():
            total = p.sel(statistic="mean").sum("state").values
            assert np.allclose(total, 1, atol=1e-4), f"{name}: {head} does not sum to one"
    yield "state probabilities sum to one for every unit, data set and head"
    for name, comparison in comparisons.items():
        assert comparison["verdict"] and comparison["reason"], f"{name}: no verdict"
    yield "every data set has a verdict with its reason"
    if model.has_density:
        weights = [np.exp(t["sample_stats"]["log_weight"].values).sum() for t in abi.values()]
        assert np.allclose(weights, 1, atol=1e-5), "importance weights are not normalized"
        yield "importance weights are normalized"
    if not card["meaningful"]:
        yield "agreement with MCMC is not claimed: the networks are hardly trained"
        return
    known = [n for n, c in comparisons.items() if c["verdict"] in ("ABI", "PSIS") and not c["mcmc_not_run"]]
    for name in known:
        distance = weighted_mean_distance(model, abi[name], mcmc[name])
        assert distance < MEAN_TOLERANCE, f"{name}: a weighted mean is {distance:.2f} sd from MCMC"
    if known:
        yield f"wherever k-hat is fine, weighted means lie within {MEAN_TOLERANCE} posterior sd of MCMC"


def weighted_mean_distance(model, abi, mcmc):
    """Largest distance of importance weighted ABI means from MCMC means, in MCMC standard deviations."""
    weights = np.exp(abi["sample_stats"]["log_weight"].values[0])
    reference = tree.draws(mcmc)
    difference = weights @ tree.draws(abi, "flow") - reference.mean(0)
    return float(np.max(np.abs(difference) / reference.std(0)))


def smoothing_answer(metrics):
    """The smoothing rules in one sentence per model; ``metrics``: (title, prior) -> metrics.json."""
    sentences = []
    for (title, variant), m in metrics.items():
        error = {rule: e["networks"]["mean_absolute_error"] for rule, e in m["smoothing_errors"].items()}
        sentences.append(
            f"{title} ({variant}): the networks are off by {error['exact']:.4f} under the exact rule, "
            f"{error['filtering alone']:.4f} by filtering alone, {error['printed']:.4f} under the printed rule and "
            f"{error['shifted']:.3f} under the shifted one."
        )
    return " ".join(sentences)


def smoothing_table(metrics, source):
    """Errors of the smoothing rules as a styled table; ``source`` is ``exact_filters`` or ``networks``."""
    rows = {}
    for (title, variant), m in metrics.items():
        for rule, error in m["smoothing_errors"].items():
            row = rows.setdefault(rule, {})
            row[title, variant, "error"] = error[source]["mean_absolute_error"]
            row[title, variant, "flips"] = error[source]["flips"]
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    shares = {c: "{:.1%}" for c in frame.columns if c[-1] == "flips"}
    return frame.style.format({c: "{:.4f}" for c in frame.columns if c[-1] == "error"} | shares)


def smoothing_by_rule(amortized, fits, draws=200):
    """Probability of the last state, averaged over posterior draws, by each rule of the networks and exactly.

    Parameters
    ----------
    amortized : Amortized
    fits : dict
        Name -> ABI fit.
    draws : int
        Posterior draws to average over.

    Returns
    -------
    dict
        Name -> {rule: (N,)} with ``exact smoother`` among the rules.
    """
    model = amortized.model
    heads = jax.jit(amortized._heads)
    smoother = jax.jit(jax.vmap(lambda t, d: model.state_log_probs(t, d)["smoothing"][:, -1], in_axes=(0, None)))
    inverse = jax.jit(jax.vmap(lambda t, d: model.bijection(d).inverse(t), in_axes=(0, None)))
    found = {}
    for name, fit in fits.items():
        data, theta = tree.observed(fit), tree.draws(fit, "flow")[:draws]
        framed, n = amortized.frame(data), len(data.y)
        log_probs = heads(framed, inverse(theta, framed))
        found[name] = {rule: np.exp(smoothing(log_probs, rule))[:, :n, -1].mean(0) for rule in RULES}
        found[name]["exact smoother"] = np.exp(smoother(theta, framed))[:, :n].mean(0)
    return found
