"""Rules pages: a page of each fit of a chunk, as the command line writes it."""

from pathlib import Path

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.inference.many import read_fits
    from amortmix.page import page
    from amortmix.storage import files
    from amortmix_paper.models import bound_model

    quality = files.read_json(snakemake.input.metrics)
    fits = read_fits(dict(zip(snakemake.params.names, snakemake.input.fits)), bound_model(snakemake.params.model))
    for (name, fit), target in zip(fits.items(), snakemake.output):
        with files.atomic(Path(target)) as temporary:
            temporary.write_text(page(fit, name, quality), encoding="utf-8")
