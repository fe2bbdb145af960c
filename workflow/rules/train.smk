"""Networks, trained on simulations made inside the training step."""


rule train:
    output:
        bundle=CASE + "/networks/bundle.keras",
        history=CASE + "/networks/history.csv",
        card=CASE + "/networks/card.json",
    log:
        f"logs/{CASE}/train.log",
    benchmark:
        f"logs/{CASE}/train.benchmark.tsv"
    # a training that starts last decides when the run ends
    priority: 10
    threads: 1
    params:
        recipe=lambda w: run_.recipe(w.case),
        prior=lambda w: run_.prior(w.case, w.priors),
        seed=lambda w: run_.seed_for("train", w.priors, w.case),
    script:
        "../scripts/train.py"
