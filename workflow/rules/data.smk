"""Data sets in one form, checked."""

# names without wildcards: Snakemake then finds the rule of a file at once, among thousands of data sets
for priors_, case_, number_, chunk_ in run_.chunks():

    rule:
        name:
            f"data_{priors_}_{case_}_{number_}"
        input:
            sorted({run_.files[d] for d in chunk_ if d in run_.files}),
        output:
            [f"{RESULTS}/{priors_}/{case_}/data/{d}.nc" for d in chunk_],
        log:
            f"logs/{RESULTS}/{priors_}/{case_}/data_{number_}.log",
        priority: 5
        conda:
            "../../envs/plain.yaml"
        threads: 1
        resources:
            mem_mb=gibibytes(2),
            runtime=minutes(20),
        params:
            datasets=[(d, run_.datasets[d].source, run_.datasets[d].rows) for d in chunk_],
            files={d: run_.files[d] for d in chunk_ if d in run_.files},
            model=run_.model(case_, priors_),
        script:
            "../scripts/data.py"
