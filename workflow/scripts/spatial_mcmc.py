"""Rule spatial_mcmc: NUTS for the fields that are shown, and the CPU seconds of each."""

from amortmix_paper.job import job, measured

with job(snakemake):
    import numpy as np

    from amortmix.storage import files
    from amortmix_paper.spatial.mcmc import nuts

    settings = snakemake.params.settings
    shown = np.load(snakemake.input.fields)["shown_field"]
    found, seconds = measured(nuts, shown, settings, snakemake.params.seed)
    with files.atomic(snakemake.output.draws) as temporary:
        np.savez(temporary, **found)
    files.write_json(snakemake.output.cost, {"seconds": seconds / len(shown), "settings": settings})
