"""Rule compare: one data set, the networks' draws against MCMC."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.diagnostics.comparison import compare
    from amortmix.storage import files
    from amortmix_paper.models import bound_model

    params = snakemake.params
    abi, mcmc = (files.load_netcdf(path) for path in (snakemake.input.abi, snakemake.input.mcmc))
    result = compare(bound_model(params.model), abi, mcmc, params.settings, params.seed)
    result = {"dataset": snakemake.wildcards.dataset, "source": abi.attrs["source"]} | result
    print(files.plain(result))
    files.write_json(snakemake.output[0], result)
