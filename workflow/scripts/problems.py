"""Rule report_problems: the end of a run that had to leave data sets out."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.storage.files import BadInput

    lines = "\n".join(snakemake.params.problems.values())
    raise BadInput(f"everything else was made; these data sets were left out:\n{lines}")
