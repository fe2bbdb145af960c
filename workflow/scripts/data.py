"""Rules data: rows of datasets.tsv as checked NetCDF files."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.storage import files, tree
    from amortmix_paper.datasets import Dataset, Loader
    from amortmix_paper.models import bound_model

    params = snakemake.params
    model = bound_model(params.model)
    loader = Loader(model)
    for (name, source, rows, part, reading, file), target in zip(params.rows, snakemake.output.data):
        wanted = Dataset(name, model.name, source, rows, part, reading)
        table, truth = loader.load(wanted, file)
        attrs = {"source": wanted.source, "simulated": int(wanted.simulated)}
        tree.save_data(target, model, table, truth, attrs)
    checksums = {row[0]: files.sha256(target) for row, target in zip(params.rows, snakemake.output.data)}
    files.write_json(snakemake.output.checksums, checksums)
