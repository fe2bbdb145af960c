"""Rule fit_mcmc: the same data set by MCMC; without an engine, a file that says so."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.mcmc import engine
    from amortmix.mcmc.tree import tree_of
    from amortmix.storage import files, tree
    from amortmix_paper.models import bound_model

    params = snakemake.params
    model = bound_model(params.model)
    table, _, attrs = tree.load_data(snakemake.input.data)
    result = files.read_json(snakemake.input.engine)
    if result["not_run"]:
        fit = tree.not_run(result["not_run"])
    else:
        try:
            found = engine.sample(model, table.data, params.seed, **params.settings)
        except (engine.McmcFailed, engine.McmcUnavailable) as error:
            # one data set that fails is reported in the tables; it stops nothing else
            print(f"WARNING: {error}")
            fit = tree.not_run(str(error))
        else:
            fit = tree_of(model, table, found, attrs)
            print(files.plain({k: fit.attrs[k] for k in ("engine", "seconds", "rhat_max", "divergences")}))
    files.save_netcdf(snakemake.output[0], fit)
