"""Rule report: one page with the numbers, the figures and how they were made."""

from amortmix_paper.job import job

with job(snakemake):
    import html
    from pathlib import Path

    import pandas as pd

    from amortmix.storage import files
    from amortmix_paper import summary_page
    from amortmix_paper.captions import Figures, figure_gallery
    from amortmix_paper.rule_graph import rule_graph
    from amortmix_paper.summary_page import table
    from amortmix_paper.table1 import notices

    params = snakemake.params
    target = Path(snakemake.output[0])
    folder = target.parent
    cases = {Path(p).parents[1].name: Path(p).parents[1] for p in snakemake.input.metrics}
    metrics = {c: files.read_json(f / "validation" / "metrics.json") for c, f in cases.items()}
    cards = {c: files.read_json(f / "networks" / "card.json") for c, f in cases.items()}
    by_prior = {}
    for path in map(Path, snakemake.input.comparisons):
        found = by_prior.setdefault(path.parents[3].name, {})
        found[path.parent.name] = files.read_json(path) | {"case": path.parents[2].name}
    comparisons = by_prior.get(snakemake.wildcards.priors, {})

    figure_folder = folder / f"figures{params.suffix}"
    graph = rule_graph(summary_page.rule_edges(params.config))
    Figures(figure_folder, "report", "Workflow").save(graph, "workflow", "Which rule feeds which")
    warnings = notices(params.trouble, all(m["meaningful"] for m in metrics.values()), bool(params.suffix))
    versions = pd.DataFrame.from_dict(
        {
            c: {
                "commit": k["git_commit"],
                "seed": str(k["seed"]),
                "seed of the validation": f"{metrics[c]['seed']}{' (shipped)' if c in params.validated else ''}",
                "device": k["device"],
                **k["versions"],
            }
            for c, k in cards.items()
        },
        orient="index",
    )
    pages = [Path(p).relative_to(folder).as_posix() for p in snakemake.input.pages]
    links = "".join(f'<li><a href="{p}">{html.escape(Path(p).stem)}</a></li>' for p in pages)
    table1 = pd.read_csv(snakemake.input.table, index_col=0)
    published = summary_page.published_rows(by_prior) if by_prior else pd.DataFrame()
    judged = (
        "Table 1 of the paper was made under the priors called reference: agreement is judged there, if they ran. "
        f"C2ST agrees within {summary_page.C2ST_TOLERANCE}; k-hat and the p-value of the MMD agree on the same side "
        "of their limit; a time agrees if it is not longer."
    )
    targets = summary_page.target_rows(metrics, comparisons, params.titles, params.config["networks"])
    content = summary_page.page(
        f"Amortized Bayesian mixture models: preset {params.preset}, priors {snakemake.wildcards.priors}",
        warnings,
        [
            ("Notebooks", f"<ul>{links}</ul>"),
            ("Targets", table(targets)),
            ("Data sets", table(summary_page.data_set_rows(comparisons, params.titles))),
            ("Table 1", table(table1)),
            ("The paper's numbers", f"<p>{judged}</p>{table(published)}"),
            ("Time", table(summary_page.time_rows(cards, comparisons, params.titles))),
            ("Figures", figure_gallery(figure_folder, folder)),
            ("How it was made", table(versions.T)),
        ],
    )
    with files.atomic(target) as temporary:
        temporary.write_text(content)
