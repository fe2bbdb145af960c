"""Rules data: rows of datasets.tsv as checked NetCDF files."""

from amortmix.job import job

with job(snakemake):
    from amortmix import fits
    from amortmix.data import Dataset, load

    params = snakemake.params
    for (name, source, rows), target in zip(params.datasets, snakemake.output):
        wanted = Dataset(name, params.case, source, rows)
        data, truth = load(wanted, params.prior, params.files.get(name))
        attrs = {"source": wanted.source, "simulated": int(wanted.simulated)}
        fits.save_data(target, data, truth, attrs)
