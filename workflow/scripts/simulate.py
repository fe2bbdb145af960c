"""Rule simulate: held-out data sets of one model under one prior."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.diagnostics.validation import simulate_held_out
    from amortmix_paper import held_out
    from amortmix_paper.models import bound_model

    params = snakemake.params
    model = bound_model(params.model)
    held_out.save(snakemake.output[0], model, simulate_held_out(model, params.datasets, params.seed))
