"""PyStan in a process of its own: ``python pystan_child.py request.json answer.npz``.

PyStan starts a web server, an event loop and worker processes, and leaves files in the working folder and in TMPDIR;
here all of that ends with the process. It needs nothing of this package. The request has

    action     "compile", "info", "log_density" or "sample"
    text       the Stan program
    folder     an empty folder for whatever PyStan writes
    program    the compiled program (not for "compile")

and what the action needs. A failure is a message in ``<answer>.error`` and exit status 1, or 2 where PyStan cannot
be imported or has no room or sockets.
"""

import asyncio
import importlib.machinery
import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

TRIES = 5


def load(program):
    """The compiled extension module at ``program``; raises ImportError if it is damaged."""
    loader = importlib.machinery.ExtensionFileLoader("stan_services", str(program))
    spec = importlib.util.spec_from_file_location("stan_services", program, loader=loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def private_cache(folder):
    """Let httpstan keep its models below ``folder`` instead of in the user's home."""
    import httpstan.cache

    httpstan.cache.cache_directory = lambda: Path(folder) / "httpstan"
    return httpstan.cache


def compiled(request):
    """Compile a program; the path of the extension module."""
    import httpstan.models

    cache = private_cache(request["folder"])
    for attempt in range(TRIES):
        try:
            asyncio.run(httpstan.models.build_services_extension_module(request["text"]))
        except subprocess.TimeoutExpired:  # it allows stanc one second, which a busy machine can exceed
            if attempt == TRIES - 1:
                raise
        else:
            break
    home = cache.model_directory(httpstan.models.calculate_model_name(request["text"]))
    return next(p for p in home.iterdir() if p.suffix == ".so")


def posterior(request):
    """PyStan's model, made from the compiled program without compiling."""
    import httpstan.models
    import stan

    cache = private_cache(request["folder"])
    name = httpstan.models.calculate_model_name(request["text"])
    home = cache.model_directory(name)
    home.mkdir(parents=True)
    shutil.copy2(request["program"], home / "stan_services.so")
    cache.dump_services_extension_module_compiler_output("", name)
    cache.dump_stanc_warnings("", name)
    return stan.build(request["text"], data=request["data"], random_seed=request.get("seed", 1))


def log_density(request):
    """Log density of the constrained parameters at every point, constants dropped, without Jacobian."""
    model = posterior(request)
    points = [model.unconstrain_pars(point) for point in request["points"]]
    return {"log_density": [model.log_prob(point, adjust_transform=False) for point in points]}


def chainwise(values, chains):
    """PyStan's (..., draws x chains), chains running fastest, as (chains, draws, ...)."""
    import numpy as np

    values = np.moveaxis(np.asarray(values), -1, 0)
    return np.moveaxis(values.reshape(-1, chains, *values.shape[1:]), 1, 0)


def used():
    """Processor seconds of this process and of its children that have ended."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(p.ru_utime + p.ru_stime for p in parts)


def sample(request):
    """Draws of ``request["names"]``, each (chains, draws, *shape), and the sampler's own columns."""
    import httpstan.services_stub
    import numpy as np

    model, chains = posterior(request), len(request["starts"])
    began, before = time.perf_counter(), used()
    fit = model.sample(
        num_chains=chains,
        num_warmup=request["warmup"],
        num_samples=request["draws"],
        delta=request["adapt_delta"],
        init=request["starts"],
    )
    seconds = time.perf_counter() - began
    httpstan.services_stub.executor.shutdown()  # only ended workers are counted
    answer = {"seconds": seconds, "cpu_seconds": used() - before}
    dims = dict(zip(fit.param_names, fit.dims))
    for name in request["names"]:
        values = chainwise(fit[name], chains)
        answer[f"site {name}"] = np.reshape(values, (*values.shape[:2], *dims[name]))
    for name in ("lp__", "accept_stat__", "treedepth__", "divergent__"):
        values = chainwise(fit[name], chains)
        answer[f"stat {name}"] = values.reshape(values.shape[:2])
    return answer


def main(request_file, answer_file):
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    try:
        if request["action"] == "info":
            if not hasattr(load(request["program"]), "hmc_nuts_diag_e_adapt_wrapper"):
                raise ImportError("not a program of httpstan")
        elif request["action"] == "compile":
            shutil.copy2(compiled(request), answer_file)
        else:
            import numpy as np

            answer = {"sample": sample, "log_density": log_density}[request["action"]](request)
            np.savez(answer_file, **answer)
    except Exception as error:  # whatever it is, the parent gets it as one line
        Path(f"{answer_file}.error").write_text(str(error) or repr(error), encoding="utf-8")
        sys.exit(2 if isinstance(error, (ImportError, OSError)) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
