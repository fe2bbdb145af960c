"""Rule table1: the participants of the paper, ours beside the published values."""

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.storage import files
    from amortmix_paper.table1 import markdown, mcmc_notes, notices, table1

    params = snakemake.params
    comparisons = [files.read_json(path) for path in snakemake.input]
    frame = table1(comparisons)
    simulated = any(c["simulated"] for c in comparisons)
    notes = notices(params.trouble, params.meaningful, simulated) + mcmc_notes(comparisons)
    with files.atomic(snakemake.output.csv) as temporary:
        frame.to_csv(temporary)
    text = markdown(frame, notes)
    with files.atomic(snakemake.output.md) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)
