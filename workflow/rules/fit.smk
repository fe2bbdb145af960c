"""Every data set fitted twice: by the networks, and by Stan where it can run."""


rule fit_abi:
    input:
        bundle=CASE + "/networks/bundle.keras",
        card=CASE + "/networks/card.json",
        data=CASE + "/data/{dataset}.nc",
    output:
        CASE + "/fits/{dataset}/abi.nc",
    log:
        f"logs/{CASE}/fits/{{dataset}}/abi.log",
    benchmark:
        f"logs/{CASE}/fits/{{dataset}}/abi.benchmark.tsv"
    threads: 1
    params:
        prior=lambda w: run_.prior(w.case, w.priors),
        draws=run_.settings["abi"]["draws"],
        smoothing_rule=run_.config["smoothing_rule"],
        seed=lambda w: run_.seed_for("abi", w.priors, w.case, w.dataset),
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
    threads: 1
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
    threads: 2
    params:
        prior=lambda w: run_.prior(w.case, w.priors),
        settings=run_.settings["stan"],
        seed=lambda w: run_.seed_for("stan", w.priors, w.case, w.dataset),
    script:
        "../scripts/fit_stan.py"
