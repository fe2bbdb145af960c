"""Every data set fitted twice: by the networks, and by Stan where it can run."""

# one rule for each chunk of data sets: loading networks costs more than a fit
for priors_, case_, number_, chunk_ in run_.chunks():
    folder_ = f"{RESULTS}/{priors_}/{case_}"

    rule:
        name:
            f"fit_abi_{priors_}_{case_}_{number_}"
        input:
            bundle=f"{folder_}/networks/bundle.keras",
            card=f"{folder_}/networks/card.json",
            data=[f"{folder_}/data/{d}.nc" for d in chunk_],
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
            prior=run_.prior(case_, priors_),
            draws=run_.settings["abi"]["draws"],
            proposals=run_.settings["abi"]["proposals"],
            smoothing_rule=run_.config["smoothing_rule"],
            datasets=chunk_,
            seeds=[run_.seed_for("abi", priors_, case_, d) for d in chunk_],
        script:
            "../scripts/fit_abi.py"


# once per model, before any fit: PyStan keeps compiled models in the user's cache, where parallel fits would race
rule compile_stan:
    input:
        "workflow/amortmix/stan/{case}.stan",
    output:
        "results/stan/{case}.json",
    log:
        "logs/stan/{case}.log",
    # compiling takes a minute and everything of Stan waits for it
    priority: 20
    conda:
        "../../envs/stan.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(4),
        runtime=minutes(20),
    script:
        "../scripts/compile_stan.py"


rule fit_stan:
    input:
        engine="results/stan/{case}.json",
        data=CASE + "/data/{dataset}.nc",
    output:
        CASE + "/fits/{dataset}/stan.nc",
    log:
        f"logs/{CASE}/fits/{{dataset}}/stan.log",
    benchmark:
        f"logs/{CASE}/fits/{{dataset}}/stan.benchmark.tsv"
    # before pages: the last fit decides when the run ends
    priority: 3
    conda:
        "../../envs/stan.yaml"
    # two chains share a core
    threads: run_.settings["stan"]["chains"] // 2
    resources:
        mem_mb=gibibytes(3),
        runtime=minutes(60),
    params:
        prior=lambda w: run_.prior(w.case, w.priors),
        settings=run_.settings["stan"],
        seed=lambda w: run_.seed_for("stan", w.priors, w.case, w.dataset),
    script:
        "../scripts/fit_stan.py"
