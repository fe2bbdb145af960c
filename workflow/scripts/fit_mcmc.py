"""Rule fit_stan: the same data set by MCMC; without an engine, a file that says so."""

from amortmix.job import job

with job(snakemake):
    import jax
    import numpy as np
    from amortmix import fits, io
    from amortmix.cases import get_case
    from amortmix.stan import engine

    case, params = get_case(snakemake.wildcards.case), snakemake.params
    reason, fit = io.read_json(snakemake.input.engine)["not_run"], None
    data, _, data_attrs = fits.load_data(snakemake.input.data)
    if not reason:
        try:
            fit = engine.sample(case, data, params.prior, params.seed, **params.settings)
        except engine.StanFailed as error:
            # one data set that fails is reported in the tables; it stops nothing else
            reason = str(error)
            print(f"WARNING: {reason}")
    if fit is None:
        fits.save_not_run(snakemake.output[0], reason)
    else:
        exact = jax.jit(jax.vmap(case.exact.state_log_probs, in_axes=(0, None)))
        flat = fit.theta.reshape(-1, fit.theta.shape[-1]).astype(np.float32)
        parts = [exact(chunk, data) for chunk in np.array_split(flat, 8)]
        probabilities = {h: np.concatenate([np.exp(np.asarray(p[h])) for p in parts]) for h in parts[0]}
        attrs = {
            "engine": fit.engine,
            "seconds": fit.seconds,
            "rhat_max": fit.rhat_max,
            "divergences": int(fit.stats["diverging"].sum()),
            "mean_tree_depth": float(np.mean(fit.stats["tree_depth"])),
            **data_attrs,
        }
        print({k: attrs[k] for k in ("engine", "seconds", "rhat_max", "divergences")})
        latent = fits.summarize_probabilities(probabilities)
        fits.save(snakemake.output[0], case, fit.theta, fit.stats, latent, data, attrs)
