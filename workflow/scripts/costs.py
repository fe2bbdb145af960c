"""Rule costs: CPU seconds of single fits, by networks and by MCMC, of data sets of one model.

Networks and NUTS run here, one after the other; Stan's chains, processes of their own, have said what they took.
"""

from amortmix_paper.job import job, measured

with job(snakemake):
    from amortmix.inference.fitting import Fitter
    from amortmix.inference.reference import Reference
    from amortmix.mcmc import engine
    from amortmix.storage import files, tree
    from amortmix_paper.break_even import stan_seconds
    from amortmix_paper.models import amortized_of, bound_model

    files_in, params = snakemake.input, snakemake.params
    model = bound_model(params.model)
    amortized = amortized_of(files_in.bundle, model, params.smoothing_rule)
    fitter = Fitter(amortized, **params.abi, reference=Reference.load(files_in.reference))

    def nuts_seconds(data, seed):
        """Of NumPyro's chains, or None where it cannot run or a chain fails."""
        try:
            return engine.sample(model, data, seed, **params.mcmc, engine="numpyro").cpu_seconds
        except (engine.McmcFailed, engine.McmcUnavailable) as error:
            print(f"NUTS: not run. {error}")

    found = {}
    for (name, seed), data, stan in zip(params.seeds.items(), files_in.data, files_in.stan):
        table, _, attrs = tree.load_data(data)
        fitter.fit(table, seed, attrs)  # what the first one compiles is no part of a fit
        _, networks = measured(fitter.fit, table, seed, attrs)
        found[name] = {"networks": networks, "Stan": stan_seconds(stan), "NUTS": nuts_seconds(table.data, seed)}
        print(name, files.plain(found[name]))
    files.write_json(snakemake.output[0], found)
