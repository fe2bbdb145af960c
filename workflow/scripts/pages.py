"""Rules pages: a page and a notebook of each fit of a chunk, as the command line writes it."""

from pathlib import Path

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.inference.many import read_fits
    from amortmix.notebook import notebook, text_of
    from amortmix.page import page
    from amortmix.storage import files
    from amortmix_paper.models import bound_model

    quality = files.read_json(snakemake.input.metrics)
    fits = read_fits(dict(zip(snakemake.params.names, snakemake.input.fits)), bound_model(snakemake.params.model))
    for (name, fit), html, ipynb in zip(fits.items(), snakemake.output.pages, snakemake.output.notebooks):
        with files.atomic(Path(html)) as temporary:
            temporary.write_text(page(fit, name, quality), encoding="utf-8")
        with files.atomic(Path(ipynb)) as temporary:
            content = notebook(name, repr("../networks"), f"../fits/{name}/abi.nc", fit)
            temporary.write_text(text_of(content), encoding="utf-8")
