"""Rule break_even: seconds of training and of fits of every model, and the data sets at which methods meet."""

from pathlib import Path

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.storage import files
    from amortmix_paper.break_even import of_epidemic, of_field, of_model, table

    found = snakemake.input
    models = zip(snakemake.params.titles, map(files.read_json, found.cards), map(files.read_json, found.costs))
    rows = [of_model(title, card, costs) for title, card, costs in models]
    rows += [of_epidemic(files.read_json(path)) for path in found.epidemic]
    rows += of_field({Path(path).stem: files.read_json(path) for path in found.field})
    with files.atomic(snakemake.output[0]) as temporary:
        table(rows).to_csv(temporary, index=False)
