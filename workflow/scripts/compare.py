"""Rule compare: one data set, ABI against MCMC, and which draws to use."""

from amortmix.job import job

with job(snakemake):
    from amortmix import io
    from amortmix.cases import get_case
    from amortmix.diagnostics.comparison import compare

    case, params, files = get_case(snakemake.wildcards.case), snakemake.params, snakemake.input
    abi, stan, recovery = (io.load_netcdf(path) for path in (files.abi, files.stan, files.recovery))
    result = compare(case, abi, stan, recovery["summary"].values, params.settings, params.seed)
    result = {"dataset": snakemake.wildcards.dataset} | result
    print(result)
    io.write_json(snakemake.output[0], result)
