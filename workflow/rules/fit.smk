"""Every data set fitted twice: by the networks, and by MCMC where it can run."""

# one rule for each chunk of data sets: loading networks costs more than a fit
for priors_, case_, number_, chunk_ in run_.chunks():
    folder_ = f"{RESULTS}/{priors_}/{case_}"

    rule:
        name:
            f"fit_abi_{priors_}_{case_}_{number_}"
        input:
            bundle=f"{folder_}/networks/bundle.keras",
            card=f"{folder_}/networks/card.json",
            reference=f"{folder_}/validation/reference.npz",
            # in place of the data sets: Snakemake keeps a record of each output with every input and its checksum, which
            # for hundreds of both is more work than the fits
            data=f"{folder_}/data/checksums_{run_.checksum(chunk_)}.json",
        output:
            [f"{folder_}/fits/{d}/abi.nc" for d in chunk_],
        log:
            f"logs/{folder_}/fits/abi_{number_}.log",
        benchmark:
            f"logs/{folder_}/fits/abi_{number_}.benchmark.tsv"
        priority: 5
        conda:
            "../../envs/networks.yaml"
        threads: 1
        resources:
            mem_mb=gibibytes(3),
            runtime=minutes(30 + len(chunk_)),
        params:
            model=run_.model(case_, priors_),
            settings=run_.settings["abi"],
            smoothing_rule=run_.config["smoothing_rule"],
            run_seed=run_.seed,
            # not in the records, since it is made from the output
            seeds=lambda w, output, priors=priors_, case=case_, names=chunk_: {
                d: run_.seed_for("abi", priors, case, d) for d in names
            },
        script:
            "../scripts/fit_abi.py"


# once per model, before any fit: parallel fits would compile side by side
rule compile_mcmc:
    output:
        "results/mcmc/{case}.json",
    log:
        "logs/mcmc/{case}.log",
    # compiling takes a minute and all MCMC waits for it
    priority: 20
    conda:
        "../../envs/stan.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(4),
        runtime=minutes(20),
    params:
        source=lambda w: run_.models.source(w.case),
        program=lambda w: run_.mcmc_program(w.case),
    script:
        "../scripts/compile_mcmc.py"


rule fit_mcmc:
    input:
        engine="results/mcmc/{case}.json",
        data=f"{CASE}/data/{{dataset}}.nc",
    output:
        f"{CASE}/fits/{{dataset}}/stan.nc",
    log:
        f"logs/{CASE}/fits/{{dataset}}/mcmc.log",
    benchmark:
        f"logs/{CASE}/fits/{{dataset}}/mcmc.benchmark.tsv"
    # before pages: the last fit decides when the run ends
    priority: 3
    conda:
        "../../envs/stan.yaml"
    # two chains share a core
    threads: run_.settings["mcmc"]["chains"] // 2
    resources:
        mem_mb=gibibytes(3),
        runtime=minutes(60),
    params:
        model=lambda w: run_.model(w.case, w.priors),
        settings=run_.settings["mcmc"],
        # the seed of a chain has the name of its file
        seed=lambda w: run_.seed_for("stan", w.priors, w.case, w.dataset),
    script:
        "../scripts/fit_mcmc.py"
