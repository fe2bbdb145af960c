"""Rule compile_stan: one model compiled, and which engine did it; without an engine, why not."""

from amortmix.job import job

with job(snakemake):
    from amortmix import io
    from amortmix.cases import get_case
    from amortmix.stan import engine

    case = get_case(snakemake.wildcards.case)
    try:
        result = {"engine": engine.compile_model(case), "not_run": None}
    except engine.StanUnavailable as error:
        result = {"engine": None, "not_run": str(error)}
        print(f"WARNING: MCMC: not run: {error}; then: snakemake --forcerun compile_stan")
    io.write_json(snakemake.output[0], result)
