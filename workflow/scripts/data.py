"""Rules data: rows of datasets.tsv as checked NetCDF files."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.storage import tree
    from amortmix_paper.datasets import Dataset, Loader
    from amortmix_paper.models import bound_model

    params = snakemake.params
    model = bound_model(params.model)
    loader = Loader(model)
    for (name, source, rows), target in zip(params.datasets, snakemake.output):
        wanted = Dataset(name, model.name, source, rows)
        table, truth = loader.load(wanted, params.files.get(name))
        attrs = {"source": wanted.source, "simulated": int(wanted.simulated)}
        tree.save_data(target, model, table, truth, attrs)
