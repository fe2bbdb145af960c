"""Rule validate: how good a bundle is on held-out simulations."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.diagnostics.validation import validate
    from amortmix.inference.reference import reference_of
    from amortmix.storage import files
    from amortmix_paper import held_out
    from amortmix_paper.models import amortized_of, bound_model

    params = snakemake.params
    amortized = amortized_of(snakemake.input.bundle, bound_model(params.model))
    simulations = held_out.load(snakemake.input.held_out)
    metrics, recovery = validate(amortized, params.settings, params.seed, simulations)
    files.save_netcdf(snakemake.output.recovery, recovery)
    reference_of(amortized, simulations.data).save(snakemake.output.reference)
    files.write_json(snakemake.output.metrics, metrics)
