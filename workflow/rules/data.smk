"""Data sets in one form, checked."""

# names without wildcards: Snakemake then finds the rule of a file at once, among thousands of data sets
for priors_, case_, number_, chunk_ in run_.chunks():

    rule:
        name:
            f"data_{priors_}_{case_}_{number_}"
        output:
            data=[f"{RESULTS}/{priors_}/{case_}/data/{d}.nc" for d in chunk_],
            # a name of its own for each list: Snakemake sees no change of parameters where some outputs are new
            checksums=f"{RESULTS}/{priors_}/{case_}/data/checksums_{run_.checksum(chunk_)}.json",
        log:
            f"logs/{RESULTS}/{priors_}/{case_}/data_{number_}.log",
        priority: 5
        conda:
            "../../envs/networks.yaml"
        threads: 1
        resources:
            mem_mb=gibibytes(2),
            runtime=minutes(20),
        params:
            # Snakemake keeps a record of each output with every input and parameter, but for parameters that are made
            # from the output: so one checksum says whether a row of the list or its file has changed
            checksum=run_.checksum(chunk_),
            rows=lambda w, output, names=chunk_: run_.rows(names),
            model=run_.model(case_, priors_),
        script:
            "../scripts/data.py"
