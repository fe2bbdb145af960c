"""Rule table1: the participants of the paper, ours beside the published values."""

from amortmix.job import job

with job(snakemake):
    from amortmix import io
    from amortmix.tables import markdown, mcmc_notes, notices, table1

    comparisons = [io.read_json(path) for path in snakemake.input]
    frame = table1(comparisons)
    simulated = any(c["simulated"] for c in comparisons)
    notes = notices(snakemake.params.trouble, snakemake.params.meaningful, simulated)
    notes += mcmc_notes(comparisons)
    with io.atomic(snakemake.output.csv) as temporary:
        frame.to_csv(temporary)
    text = markdown(frame, notes)
    with io.atomic(snakemake.output.md) as temporary:
        temporary.write_text(text)
    print(text)
