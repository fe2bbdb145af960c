"""Rule table1: the participants of the paper, ours beside the published values."""

from amortmix.job import job

with job(snakemake):
    from amortmix import io
    from amortmix.tables import markdown, notices, table1

    comparisons = [io.read_json(path) for path in snakemake.input]
    frame = table1(comparisons)
    simulated = any(c["simulated"] for c in comparisons)
    notes = notices(snakemake.params.trouble, snakemake.params.meaningful, simulated)
    reasons = {c["mcmc_not_run"] for c in comparisons} - {None}
    notes += [f"MCMC: not run: {reason}" for reason in sorted(reasons)]
    divergent = {c["dataset"]: c["divergences"] for c in comparisons if c["divergences"]}
    if divergent:
        notes.append(f"Divergent transitions after warm-up: {divergent}")
    with io.atomic(snakemake.output.csv) as temporary:
        frame.to_csv(temporary)
    text = markdown(frame, notes)
    with io.atomic(snakemake.output.md) as temporary:
        temporary.write_text(text)
    print(text)
