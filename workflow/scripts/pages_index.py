"""Rules pages_index: one table of all fits of a model, with links to their pages."""

from pathlib import Path
from urllib.parse import quote

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.inference.many import read_fits
    from amortmix.page import index
    from amortmix.storage import files
    from amortmix_paper.models import bound_model

    fits = read_fits(dict(zip(snakemake.params.names, snakemake.input.fits)), bound_model(snakemake.params.model))
    with files.atomic(Path(snakemake.output[0])) as temporary:
        temporary.write_text(index(fits, {name: f"{quote(name)}.html" for name in fits}), encoding="utf-8")
