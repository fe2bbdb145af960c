"""Rule spatial_method: one method trained, its answers for the fields of the test, and the CPU seconds of both."""

from amortmix_paper.job import job, measured

with job(snakemake):
    import numpy as np

    from amortmix.storage import files
    from amortmix_paper.spatial import RESTS_ON
    from amortmix_paper.spatial.methods import train

    method, output = snakemake.wildcards.method, snakemake.output
    fields = np.load(snakemake.input.fields)
    simulations = {name: fields[name] for name in ("theta", "field")}
    table, needed = None, 0.0
    if method in RESTS_ON:
        likelihood, cost = snakemake.input.likelihood
        table, known = np.load(likelihood)["training"], files.read_json(cost)
        needed = known["training_seconds"] + known["table_seconds"]
    trained, training = measured(train, method, simulations, snakemake.params.epochs, snakemake.params.seed, table)
    trained.answer(fields["test_field"])  # what the first call compiles is no part of an answer
    answers, answering = measured(trained.answer, fields["test_field"])
    found = answers._asdict()
    cost = {"training_seconds": needed + training, "seconds": answering / len(answers.mean), "losses": trained.losses}
    shown = fields["shown_field"]
    if trained.table:
        found["shown"] = trained.table(shown)
    else:
        found |= {f"shown_{name}": values for name, values in trained.answer(shown)._asdict().items()}
    if trained.binding:
        found["summary"] = trained.summary(fields["test_field"])
        found["binding_mean"], found["binding_sd"] = trained.binding
    if method in RESTS_ON.values():
        found["training"], cost["table_seconds"] = measured(trained.table, simulations["field"])
    with files.atomic(output.answers) as temporary:
        np.savez(temporary, **found)
    files.write_json(output.cost, cost)
