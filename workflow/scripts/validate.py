"""Rule validate: calibration, recovery, amortization gap and excess cross-entropy of a bundle."""

import time

from amortmix.job import job

with job(snakemake):
    from pathlib import Path

    import numpy as np
    import xarray as xr
    from amortmix import io
    from amortmix.cases import Data
    from amortmix.diagnostics import simulated
    from amortmix.networks.classifiers import smoothing
    from amortmix.posterior import Amortized
    from amortmix.progress import progress

    MISFIT = 5  # data sets of the gap for each one that no theta makes

    began = time.perf_counter()
    settings, prior, seed = snakemake.params.settings, snakemake.params.prior, snakemake.params.seed
    amortized = Amortized.load(Path(snakemake.input.bundle).parent)
    case = amortized.case
    held_out = io.load_netcdf(snakemake.input.held_out)
    theta, z = held_out["theta"].values, held_out["z"].values
    data = Data(held_out["y"].values, held_out["mask"].values)
    bar = progress(7, f"validating {case.name}")

    draws = amortized.sample_many(data, settings["draws"], seed).theta
    bar.advance(1, "posterior draws")
    metrics = {
        "case": case.name,
        "meaningful": amortized.card["meaningful"],
        "parameters": case.parameter_names,
        "datasets": len(theta),
        "draws": settings["draws"],
        "sbc": simulated.calibration(theta, draws, seed),
        "recovery": simulated.recovery(theta, draws),
    }
    bar.advance(1, "calibration")
    few = settings["gap_datasets"]
    some = Data(data.y[:few], data.mask[:few])
    if case.chain is not None or not case.dependent:
        shares = simulated.share_calibration(case, amortized, some, z[:few], settings["share_draws"], seed)
        metrics["share_sbc"] = shares
    bar.advance(1, "calibration of the indicators")
    summaries = np.stack([amortized.summarize(Data(y, m)) for y, m in zip(*data)])
    bar.advance(1, "summaries")
    gaps = np.full(len(theta), np.nan)
    if case.exact is not None:
        gap = simulated.amortization_gap(case, prior, amortized, theta[:few], some, settings["gap_draws"], seed)
        gaps[:few] = gap.pop("gaps")
        metrics["gap_nats"] = gap
        bar.advance(1, "amortization gap")
        metrics["misfit"] = simulated.misfit_divergence(
            case, prior, amortized, -(-few // MISFIT), settings["gap_draws"], seed
        )
        bar.advance(1, "divergence where the model is wrong")
        exact, network = simulated.state_log_probs(case, amortized, theta, data)
        units = data.mask.max(-1)
        if case.dependent:
            metrics["smoothing_errors"] = simulated.smoothing_errors(exact, network, units)
            network["smoothing"] = np.asarray(smoothing(network, amortized.smoothing_rule))
        metrics["excess_ce"] = {
            head: simulated.excess_cross_entropy(exact[head], q, units, z) for head, q in network.items()
        }
        bar.advance(1, "excess cross-entropy")
    bar.close()
    dims = ("dataset", "parameter")
    recovery = xr.Dataset(
        {
            "theta": (dims, theta),
            "draws": (("dataset", "draw", "parameter"), draws.astype(np.float32)),
            "summary": (("dataset", "statistic"), summaries),
            "gap": ("dataset", gaps),
        },
        coords={"parameter": list(case.parameter_names)},
    )
    io.save_netcdf(snakemake.output.recovery, recovery)
    metrics["seconds"] = time.perf_counter() - began
    io.write_json(snakemake.output.metrics, metrics)
