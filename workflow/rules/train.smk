"""Networks, trained on simulations made inside the training step, or those that come with the library."""

# one rule per model, the longest training first: the one that starts last decides when the run ends
for rank_, case_ in enumerate(sorted(run_.cases, key=run_.simulated_units)):

    if run_.shipped(case_):

        rule:
            name:
                f"shipped_{case_}"
            input:
                lambda w, case=case_: [str(pretrained.folder(case, w.priors) / f) for f in pretrained.FILES],
            output:
                bundle=f"{RESULTS}/{{priors}}/{case_}/networks/bundle.keras",
                history=f"{RESULTS}/{{priors}}/{case_}/networks/history.csv",
                card=report(
                    f"{RESULTS}/{{priors}}/{case_}/networks/card.json",
                    caption="../report/card.rst",
                    category="Numbers",
                    labels={"model": case_, "priors": "{priors}", "file": "card of the networks"},
                ),
            log:
                f"logs/{RESULTS}/{{priors}}/{case_}/shipped.log",
            wildcard_constraints:
                priors="|".join(run_.shipped(case_)),
            priority: 10
            conda:
                "../../envs/networks.yaml"
            resources:
                mem_mb=gibibytes(1),
                runtime=minutes(10),
            params:
                folder=lambda w, output: os.path.dirname(output.bundle),
            shell:
                "cp -v {input:q} {params.folder:q} > {log:q} 2>&1"

    if run_.trained(case_):

        rule:
            name:
                f"train_{case_}"
            input:
                start=lambda w, case=case_: run_.start_files(case, w.priors),
            output:
                bundle=f"{RESULTS}/{{priors}}/{case_}/networks/bundle.keras",
                history=f"{RESULTS}/{{priors}}/{case_}/networks/history.csv",
                card=report(
                    f"{RESULTS}/{{priors}}/{case_}/networks/card.json",
                    caption="../report/card.rst",
                    category="Numbers",
                    labels={"model": case_, "priors": "{priors}", "file": "card of the networks"},
                ),
            log:
                f"logs/{RESULTS}/{{priors}}/{case_}/train.log",
            benchmark:
                f"logs/{RESULTS}/{{priors}}/{case_}/train.benchmark.tsv"
            wildcard_constraints:
                priors="|".join(run_.trained(case_)),
            priority: 10 + rank_
            conda:
                "../../envs/networks-cuda.yaml" if run_.config["cuda"] else "../../envs/networks.yaml"
            threads: 1
            resources:
                mem_mb=gibibytes(4),
                runtime=minutes(run_.settings["training"]["limit_minutes"]),
            params:
                model=lambda w, case=case_: run_.model(case, w.priors),
                preset=run_.preset,
                recipe=run_.recipe(case_),
                seed=lambda w, case=case_: run_.seed_for("train", w.priors, case),
            script:
                "../scripts/train.py"
