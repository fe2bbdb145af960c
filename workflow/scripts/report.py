"""Rule report: one page with the numbers, the figures and how they were made."""

from amortmix.job import job

with job(snakemake):
    import html
    from pathlib import Path

    import pandas as pd
    from amortmix import figures, io, overview
    from amortmix.gallery import figure_gallery
    from amortmix.tables import notices

    params = snakemake.params
    target = Path(snakemake.output[0])
    folder = target.parent
    cases = {Path(p).parents[1].name: Path(p).parents[1] for p in snakemake.input.metrics}
    metrics = {c: io.read_json(f / "validation" / "metrics.json") for c, f in cases.items()}
    cards = {c: io.read_json(f / "networks" / "card.json") for c, f in cases.items()}
    by_prior = {}
    for path in map(Path, snakemake.input.comparisons):
        found = by_prior.setdefault(path.parents[3].name, {})
        found[path.parent.name] = io.read_json(path) | {"case": path.parents[2].name}
    comparisons = by_prior.get(snakemake.wildcards.priors, {})

    figure_folder = folder / f"figures{params.suffix}"
    figures.save(figures.rule_graph(overview.rule_edges(params.config)), figure_folder, "workflow")
    warnings = notices(params.trouble, all(m["meaningful"] for m in metrics.values()), bool(params.suffix))
    versions = pd.DataFrame.from_dict(
        {
            c: {"commit": k["git_commit"], "seed": str(k["seed"]), "device": k["device"], **k["versions"]}
            for c, k in cards.items()
        },
        orient="index",
    )
    pages = [Path(p).relative_to(folder).as_posix() for p in snakemake.input.pages]
    links = "".join(f'<li><a href="{p}">{html.escape(Path(p).stem)}</a></li>' for p in pages)
    table1 = pd.read_csv(snakemake.input.table, index_col=0)
    published = overview.published_rows(by_prior) if by_prior else pd.DataFrame()
    judged = (
        "Table 1 of the paper was made under the priors called reference: agreement is judged there, if they ran. "
        f"C2ST agrees within {overview.C2ST_TOLERANCE}; k-hat and the p-value of the MMD agree on the same side "
        "of their limit; a time agrees if it is not longer."
    )
    content = overview.page(
        f"Amortized Bayesian mixture models: preset {params.preset}, priors {snakemake.wildcards.priors}",
        warnings,
        [
            ("Notebooks", f"<ul>{links}</ul>"),
            ("Targets", overview.table(overview.target_rows(metrics, comparisons, params.config["networks"]))),
            ("Table 1", overview.table(table1)),
            ("The paper's numbers", f"<p>{judged}</p>{overview.table(published)}"),
            ("Time", overview.table(overview.time_rows(cards, comparisons))),
            ("Figures", figure_gallery(figure_folder, folder)),
            ("How it was made", overview.table(versions.T)),
        ],
    )
    with io.atomic(target) as temporary:
        temporary.write_text(content)
