"""Rule compile_mcmc: which engine samples a model by MCMC, compiled where it has to be; without one, why not."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.mcmc import engine
    from amortmix.model import registry
    from amortmix.storage import files

    nothing = {"engine": None, "version": None, "warnings": []}
    try:
        result = engine.compile_model(registry.find(snakemake.params.source)) | {"not_run": None}
    except engine.McmcUnavailable as error:
        result = nothing | {"not_run": str(error)}
        print(f"WARNING: MCMC: not run for {snakemake.wildcards.case}: {error}")
    for sentence in result["warnings"]:
        print(f"WARNING: {sentence}")
    files.write_json(snakemake.output[0], result)
