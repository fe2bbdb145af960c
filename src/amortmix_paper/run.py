"""The run that a config asks for: checked settings, models, data sets and their files."""

import hashlib
import os
from pathlib import Path

import yaml

from amortmix.mcmc import programs
from amortmix.storage import files
from amortmix.storage.files import BadInput
from amortmix.training.phases import phases_of
from amortmix_paper import pretrained
from amortmix_paper.datasets import read_datasets
from amortmix_paper.participants import find_participants, simulated_participants
from amortmix_paper.places import in_project
from amortmix_paper.planned_models import Models
from amortmix_paper.problems import find_problems
from amortmix_paper.schemas import check, defaults

#: Words of YAML that Snakemake leaves as text where they are given on the command line.
BOOLEANS = {"true": True, "false": False}


class Run:
    """A checked configuration.

    Parameters
    ----------
    config : dict
        As Snakemake read it.
    download : bool
        Whether missing participants may be fetched.

    Attributes
    ----------
    preset : str
    folder : str
        Under ``results``: the preset, and whether networks are the shipped ones where there are any.
    settings : dict
        Budgets of the preset.
    priors : list of str
        Prior variants that the config asks for.
    models : `Models`
    datasets : {name: Dataset}
        Those whose data can be had.
    files : {name: path}
    validated : set of (priors, case)
        Those whose networks are taken from the library together with their validation.
    problems : {name: str}
        Data sets that cannot be read and are left out.
    trouble : str or None
        Why data are missing, and what to do.
    notes : list of str
        What a user should know before the run starts.
    """

    def __init__(self, config, download=False):
        given = {k: BOOLEANS.get(v, v) if isinstance(v, str) else v for k, v in config.items()}
        config = defaults("config") | given
        check(config, "config", "config")
        self.config, self.preset, self.seed = config, config["preset"], config["seed"]
        path = preset_file(self.preset)
        preset = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        # settings may be given as --configfile: a preset's, or the sections that differ
        self.settings = preset["settings"] | config["settings"]
        self._recipes = config["recipes"] or preset["recipes"]
        check(config | {"settings": self.settings}, "config", path)
        check({name: {"recipe": recipe} for name, recipe in self._recipes.items()}, "models", path)
        self.priors = config["priors"] if isinstance(config["priors"], list) else [config["priors"]]
        self.models = Models(in_project(config["models"]))
        self._listed = read_datasets(in_project(config["datasets"]), self.models)
        self.models.check_settings()
        datasets = self._listed
        if config["participants"] == "simulated":
            datasets = simulated_participants(datasets)
        self._find_files(datasets, download)
        self.problems = find_problems(self.datasets, self.files, self.models)
        self.datasets = {name: item for name, item in self.datasets.items() if name not in self.problems}
        self.folder = self.preset if config["networks"] == "trained" else f"{self.preset}_shipped"
        self._shipped = {pair for pair in self.pairs() if self._is_shipped(*pair)}
        self.validated = {pair for pair in self._shipped if self._is_validated(*pair)}
        self.notes = self._notes()

    def _find_files(self, datasets, download):
        wanted = {d.name for d in datasets.values() if d.kind == "participant"}
        found, self.trouble = find_participants(
            wanted, [in_project(f) for f in self.config["participant_files"]], download
        )
        self.files, self.datasets = {}, {}
        for name, item in datasets.items():
            if item.kind == "participant" and item.name not in found:
                continue
            self.datasets[name] = item
            if item.kind == "participant":
                self.files[name] = str(found[item.name])
            elif item.kind == "file":
                if not Path(item.name).is_file():
                    raise BadInput(f"{self.config['datasets']}: {name}: no such file {item.name}")
                self.files[name] = item.name

    def _notes(self):
        found = [f"WARNING: {self.trouble}. Everything else is made."] if self.trouble else []
        if self.problems:
            found.append("\n".join(["WARNING: left out, and everything else is made:", *self.problems.values()]))
        if self.config["networks"] == "shipped":
            missing = [f"{c} (priors {p})" for p, c in self.pairs() if (p, c) not in self._shipped]
            if missing:
                found.append(f"No networks are shipped for {', '.join(missing)}: they are trained here.")
        return found

    @property
    def cases(self):
        """Names of the models that have a data set in the list, whether or not its data can be had."""
        return sorted({d.case for d in self._listed.values()})

    def variants(self, case):
        """Prior variants under which a model runs.

        A model that has none of those asked for runs once, under its first: one of the library in that variant's
        folder, one of the user's where the first report is.
        """
        known = list(self.models[case].references)
        chosen = [p for p in self.priors if p in known]
        if chosen:
            return chosen
        return self.priors[:1] if self.models.is_own(case) else known[:1]

    def pairs(self):
        """All (priors, case) of the run."""
        return [(p, c) for c in self.cases for p in self.variants(c)]

    def on_start_page(self, priors):
        """(priors, case) that the start page of a prior shows; the first also those of priors that none asks for."""
        first = priors == self.priors[0]
        return [(p, c) for p, c in self.pairs() if p == priors or (first and p not in self.priors)]

    def of_case(self, case):
        """Names of the data sets of a model."""
        return [n for n, d in self.datasets.items() if d.case == case]

    def chunks(self):
        """(priors, case, number, data sets): those that one ABI job fits. Rows added to the list fill later chunks."""
        size = self.config["fits_per_job"]
        for priors, case in self.pairs():
            names = self.of_case(case)
            for number, start in enumerate(range(0, len(names), size)):
                yield priors, case, number, names[start : start + size]

    def participants(self):
        """Names of the eleven participants, real or simulated, as far as their data can be had."""
        return [n for n, d in self.datasets.items() if d.is_participant]

    def sources(self, names):
        """{data set: source} of some data sets."""
        return {n: self.datasets[n].source for n in names}

    def rows(self, names):
        """(name, source, rows, part, reading, path of its file or None) of some data sets."""
        items = {n: self.datasets[n] for n in names}
        return [(n, item.source, item.rows, item.part, item.reading, self.files.get(n)) for n, item in items.items()]

    def checksum(self, names):
        """Of `rows`, and of when and how long their files were written."""
        stats = [os.stat(file) for *_, file in self.rows(names) if file]
        content = self.rows(names), [(s.st_mtime_ns, s.st_size) for s in stats]
        return hashlib.sha256(repr(content).encode()).hexdigest()[:16]

    def seed_for(self, *names):
        """A seed for one job: depends on its names and the run's seed, not on the order of jobs."""
        text = "/".join(map(str, (self.seed, *names)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % (2**31)

    def recipe(self, case):
        """Recipe of a model's networks: the preset's, else a derived one, as ``config/models.yaml`` changes it."""
        smoke = self.preset == "smoke"
        recipe = self._recipes.get(case) or self.models[case].recipes["smoke" if smoke else "full"]
        changes = self.models.settings.get(case, {}).get("recipe", {})
        return recipe if smoke else merged(recipe, changes)

    def start_files(self, case, priors):
        """Bundle and card that a training starts from: shipped under the same prior, else under the printed one."""
        if self.recipe(case).get("start") != "shipped":
            return []
        folders = [pretrained.folder(case, p) for p in (priors, "paper")]
        folder = next((f for f in folders if (f / "bundle.keras").is_file()), None)
        if folder is None:
            raise BadInput(f"{folders[0]}: no networks to start from; use another preset than {self.preset}")
        return [str(folder / "bundle.keras"), str(folder / "card.json")]

    def simulated_units(self, case):
        """How many units a training simulates: what it costs, roughly."""
        return self.models[case].units[1] * sum(p.data_sets for p in phases_of(self.recipe(case)["schedule"]))

    def model(self, case, priors):
        """Reference of a model under one prior, what its jobs depend on; see `amortmix_paper.models`."""
        known = self.models[case].references
        return known[priors] if priors in known else next(iter(known.values()))

    def shipped(self, case):
        """Prior variants of the run for which a model's networks are taken from the library."""
        return [p for p in self.variants(case) if (p, case) in self._shipped]

    def trained(self, case):
        """Those for which they are trained."""
        return [p for p in self.variants(case) if (p, case) not in self._shipped]

    def _is_shipped(self, priors, case):
        if self.config["networks"] == "trained" or self.models.is_own(case):
            return False
        return pretrained.is_shipped(case, priors, self.model(case, priors)["fingerprint"])

    def _is_validated(self, priors, case):
        return not self.config["revalidate"] and pretrained.is_validated(case, priors, self.settings["validation"])

    def mcmc_program(self, case):
        """What decides how a model is fitted by MCMC: its Stan file, whether it has a density, the environment."""
        model = self.models[case]
        return {
            "stan": files.sha256(model.stan) if model.stan and Path(model.stan).is_file() else None,
            "density": model.has_density,
            "environment": {k: os.environ[k] for k in ("CMDSTAN", *programs.FLAGS) if k in os.environ},
        }


def preset_file(name):
    """Where the budgets and recipes of a preset are."""
    return in_project(f"config/presets/{name}.yaml")


def preset_recipes(preset):
    """{model: recipe} of a preset."""
    return yaml.safe_load(Path(preset_file(preset)).read_text(encoding="utf-8"))["recipes"]


def merged(recipe, changes):
    """A recipe with some entries replaced; a network of another kind is replaced whole."""
    return recipe | {
        k: recipe[k] | v if isinstance(v, dict) and isinstance(recipe.get(k), dict) and "kind" not in v else v
        for k, v in changes.items()
    }
