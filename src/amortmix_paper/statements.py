"""Words and small tables for the notebooks, computed from results, and the claims they check."""

import jax
import numpy as np
import pandas as pd

from amortmix import fits
from amortmix.diagnostics.psis import Psis
from amortmix.networks.classifiers import RULES, smoothing

#: The paper's Pareto k-hat needs a Monte Carlo margin when posterior means are compared, in posterior sd.
MEAN_TOLERANCE = 0.5


def answer(case, metrics, comparisons):
    """The case study's result in two sentences."""
    gap = metrics["gap_nats"]
    calibrated = "inside" if metrics["sbc"]["inside"] else "outside"
    text = (
        f"The ranks of {metrics['datasets']} simulated data sets lie {calibrated} their simultaneous bands, "
        f"and the flow gives away {gap['mean']:.2f} ± {gap['se']:.2f} nats per data set. "
    )
    scores = [c["c2st"] for c in comparisons.values() if c["c2st"] is not None]
    if not scores:
        return text + "MCMC was not run."
    corrected = [c["c2st_psis"] for c in comparisons.values() if c["c2st_psis"] is not None]
    return text + (
        f"Against MCMC the median C2ST is {np.median(scores):.2f}, and {np.median(corrected):.2f} "
        "after importance weighting."
    )


def table_answer(comparisons, priors, trouble):
    """Table 1 in one sentence."""
    if not comparisons:
        return f"There is no table: {trouble or 'the list of data sets has no participants'}."
    words = [c["verdict"] for c in comparisons.values()]
    text = (
        f"Of {len(words)} participants, {words.count('ABI')} can be used as they are, {words.count('PSIS')} after "
        f"importance weighting, and {words.count('MCMC')} need MCMC."
    )
    if priors != "reference":
        text += " These are the printed priors; the published values belong to `reference`."
    return text


def card_lines(card):
    """The model card as a short list."""
    schedule = card["recipe"]["schedule"]
    proposal, misfit = schedule.get("proposal", {}), schedule.get("misfit", 0)
    simulated = ", ".join(f"{name} = {value}" for name, value in proposal.items())
    notes = []
    if proposal:
        notes.append(f"- half of the data sets trained on last are simulated with {simulated}, none of those held out")
    if misfit:
        notes.append(f"- {misfit:.0%} of the data sets trained on last are such as no parameter makes, none held out")
    return "\n".join(
        [
            f"- preset `{card['preset']}`, priors `{card['priors']}`, seed {card['seed']}, device {card['device']}",
            f"- {card['steps']:,} steps on {card['data_sets']:,} simulated data sets in {card['seconds'] / 60:.1f} "
            f"minutes ({card['data_sets_per_second']:,.0f} data sets/s)",
            f"- trained on N = {card['units'][0]} to {card['units'][1]} units with "
            f"P = {card['observations'][0]} to {card['observations'][1]} observations each",
            *notes,
        ]
    )


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
    frame = pd.DataFrame.from_dict(comparisons, orient="index")[list(columns)].rename(columns=columns)
    return frame.style.format(precision=3, na_rep="–")


def chosen_participants(datasets, comparisons):
    """Data sets to show in full, with the reason: the paper's three, or all if there are few."""
    reasons = {
        "C": "the paper's example of a typical participant (figure 14)",
        "B": "the paper's example of a slight bias (figure 15)",
        "A": "the paper's example of a posterior beyond correction (figures 16 and 17)",
    }
    if len(datasets) <= len(reasons):
        return {d: comparisons[d]["reason"] for d in datasets}
    by_letter = {d.rsplit("_", 1)[-1]: d for d in datasets}
    chosen = {by_letter[k]: why for k, why in reasons.items() if k in by_letter}
    scored = {d: c["pareto_k"] for d, c in comparisons.items() if d not in chosen}
    return chosen | {min(scored, key=scored.get): "the smallest k-hat of the others"}


def posterior_samples(case, prior, abi, stan, seed=1):
    """Draws to show together, in the order they are drawn: prior, ABI, PSIS where weights are reliable, MCMC.

    Parameters
    ----------
    prior : mapping
        Hyperparameters.
    abi, stan : DataTree
        Fits of one data set.

    Returns
    -------
    dict
        Name -> (S, D).
    """
    keys = jax.random.split(jax.random.key(seed), 2000)
    theta = fits.draws(abi, case)
    samples = {"prior": np.asarray(jax.jit(jax.vmap(lambda k: case.sample_prior(k, prior)))(keys)), "ABI": theta}
    if "log_weight" in abi["sample_stats"]:
        smoothed = Psis(abi["sample_stats"]["log_weight"].values[0], abi.attrs["pareto_k"])
        if smoothed.is_reliable:
            samples["PSIS"] = fits.draws(abi, case, "corrected")
    if not fits.not_run(stan):
        samples["MCMC"] = fits.draws(stan, case)
    return samples


def replicate(case, abi, draws=200, seed=1):
    """Posterior predictive data sets of the design of the observed one.

    Returns
    -------
    y, z : (draws, N, P, D_y), (draws, N)
    """
    theta, mask = fits.draws(abi, case)[:draws], fits.observed(abi).mask
    keys = jax.random.split(jax.random.key(seed), len(theta))
    y, z = jax.jit(jax.vmap(lambda k, t: case.simulate(k, t, mask)))(keys, theta)
    return np.asarray(y), np.asarray(z)


def time_answer(card, comparisons):
    """What a fit costs with either method, and after how many data sets training has paid for itself."""
    abi = np.mean([c["seconds_abi"] for c in comparisons.values()])
    stan = [c["seconds_stan"] for c in comparisons.values() if c["seconds_stan"] is not None]
    text = f"Training took {card['seconds'] / 60:.0f} minutes, a fit by ABI takes {abi:.2f} s"
    if not stan:
        return text + "; MCMC was not run."
    number = card["seconds"] / (np.mean(stan) - abi)
    if number < 0:
        return text + f" and one by MCMC {np.mean(stan):.1f} s: training does not pay for itself."
    return (
        text + f", one by MCMC {np.mean(stan):.1f} s: training pays for itself after {np.ceil(number):,.0f} data sets."
    )


def check_claims(case, card, abi, stan, comparisons):
    """Assert what the page says; yields a sentence for each claim that held."""
    for name, tree in abi.items():
        for head, p in tree["latent_probabilities"].data_vars.items():
            total = p.sel(statistic="mean").sum("state").values
            assert np.allclose(total, 1, atol=1e-4), f"{name}: {head} does not sum to one"
    yield "state probabilities sum to one for every unit, data set and head"
    weights = [np.exp(t["sample_stats"]["log_weight"].values).sum() for t in abi.values()]
    assert np.allclose(weights, 1, atol=1e-5), "importance weights are not normalized"
    yield "importance weights are normalized"
    if not card["meaningful"]:
        yield "agreement with MCMC is not claimed: the networks are hardly trained"
        return
    for name, comparison in comparisons.items():
        if comparison["verdict"] == "MCMC" or comparison["mcmc_not_run"]:
            continue
        distance = weighted_mean_distance(case, abi[name], stan[name])
        assert distance < MEAN_TOLERANCE, f"{name}: a weighted mean is {distance:.2f} sd from MCMC"
    yield f"wherever k-hat is fine, weighted means lie within {MEAN_TOLERANCE} posterior sd of MCMC"


def weighted_mean_distance(case, abi, stan):
    """Largest distance of importance weighted ABI means from MCMC means, in MCMC standard deviations."""
    weights = np.exp(abi["sample_stats"]["log_weight"].values[0])
    reference = fits.draws(stan, case)
    difference = weights @ fits.draws(abi, case) - reference.mean(0)
    return float(np.max(np.abs(difference) / reference.std(0)))


def smoothing_answer(metrics):
    """The smoothing rules in one sentence per case study; ``metrics``: (title, prior) -> metrics.json."""
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


def smoothing_by_rule(amortized, trees, draws=200):
    """Probability of the last state, averaged over posterior draws, by each rule of the networks and exactly.

    Parameters
    ----------
    amortized : Amortized
    trees : dict
        Name -> ABI fit.
    draws : int
        Posterior draws to average over.

    Returns
    -------
    dict
        Name -> {rule: (N,)} with ``exact smoother`` among the rules.
    """
    case = amortized.case
    heads = jax.jit(amortized._heads)
    smoother = jax.jit(jax.vmap(lambda t, d: case.exact.state_log_probs(t, d)["smoothing"][:, -1], in_axes=(0, None)))
    inverse = jax.jit(jax.vmap(lambda t, d: case.bijection(d).inverse(t), in_axes=(0, None)))
    found = {}
    for name, tree in trees.items():
        data, theta = fits.observed(tree), fits.draws(tree, case)[:draws]
        framed, n = amortized.frame(data), len(data.y)
        log_probs = heads(framed, inverse(theta, framed))
        found[name] = {rule: np.exp(smoothing(log_probs, rule))[:, :n, -1].mean(0) for rule in RULES}
        found[name]["exact smoother"] = np.exp(smoother(theta, framed))[:, :n].mean(0)
    return found
