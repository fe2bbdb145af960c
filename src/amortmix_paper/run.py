"""The run that a config asks for: checked settings, case studies, data sets and their files."""

import hashlib
import json
from pathlib import Path

import fastjsonschema
import yaml

from amortmix import io
from amortmix.cases import CASES, architecture
from amortmix.data import find_participants, read_datasets, simulated_participants
from amortmix.io import BadInput

SCHEMAS = Path(__file__).parents[1] / "schemas"
SHIPPED = Path("networks")


def check(config, schema, where):
    """Raise `BadInput` with one line if ``config`` does not fit a schema of ``workflow/schemas``."""
    validate = fastjsonschema.compile(json.loads((SCHEMAS / f"{schema}.schema.json").read_text()))
    try:
        validate(config)
    except fastjsonschema.JsonSchemaValueException as error:
        place = ".".join(map(str, error.path[1:])) or "top level"
        raise BadInput(f"{where}, {place}: {_complaint(error)}") from None


def _complaint(error):
    """What is wrong with a value and what was expected, in one line."""
    if error.rule == "additionalProperties":
        known = error.definition["properties"]
        unknown = ", ".join(sorted(set(error.value) - set(known)))
        return f"unknown key {unknown}; expected {', '.join(sorted(known))}"
    if error.rule == "enum":
        return f"{error.value!r}; expected {' or '.join(error.rule_definition)}"
    if error.rule == "oneOf":
        return f"{error.value!r}; expected paper, reference or a list of both"
    return f"{error.value!r}; expected: {error.rule} {error.rule_definition}"


def shipped(case, variant):
    """Folder of the networks that come with the library."""
    return SHIPPED / variant / case


def check_shipped(case, variant):
    """Raise `BadInput` with one line if the networks that come with the library are not those of a case study."""
    path = shipped(case.name, variant) / "card.json"
    if not path.is_file():
        raise BadInput(f"{path}: none are shipped for {case.name}, priors {variant}; use networks=trained")
    card = io.read_json(path)
    known = {key: card[key] for key in ("case", "priors", "prior", "units", "observations")} | architecture(
        card["recipe"]
    )
    expected = {
        "case": case.name,
        "priors": variant,
        "prior": case.prior(variant),
        "units": case.units,
        "observations": case.observations,
        # the schedule may have changed since: the card says by which one its networks were trained
        **architecture(case.networks[card["preset"]]),
    }
    for key, value in json.loads(json.dumps(expected)).items():
        if known[key] != value:
            raise BadInput(
                f"{path}: {key} is {known[key]!r}; expected {value!r} of the case study, or networks=trained"
            )


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
        Under ``results``: the preset, and whether its networks are the shipped ones.
    settings : dict
        Budgets of the preset.
    datasets : {name: Dataset}
        Those whose data can be had.
    files : {name: Path}
    trouble : str or None
        Why data are missing, and what to do.
    """

    def __init__(self, config, download=False):
        check(config, "config", "config")
        self.config, self.preset, self.seed = config, config["preset"], config["seed"]
        presets = Path(__file__).parents[2] / "config" / "presets" / f"{self.preset}.yaml"
        preset = yaml.safe_load(presets.read_text())
        self.settings = config.get("settings") or preset["settings"]
        check(config | {"settings": self.settings}, "config", presets)
        chosen = config["priors"]
        self.priors = chosen if isinstance(chosen, list) else [chosen]
        datasets = read_datasets(config["datasets"])
        if config["participants"] == "simulated":
            datasets = simulated_participants(datasets)
        self._find_files(datasets, download)
        self.folder = self.preset
        if config["networks"] == "shipped":
            self.folder = f"{self.preset}_shipped"
            for variant, case in self.pairs():
                check_shipped(CASES[case], variant)

    def _find_files(self, datasets, download):
        wanted = {d.name for d in datasets.values() if d.kind == "participant"}
        found, self.trouble = find_participants(wanted, self.config["participant_files"], download)
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

    @property
    def cases(self):
        """Case studies that have a data set in the list, whether or not its data can be had."""
        listed = {d.case for d in read_datasets(self.config["datasets"]).values()}
        return sorted(listed)

    def variants(self, case):
        """Prior variants under which a case study runs; one with a single prior has no others."""
        known = CASES[case].priors
        return list(known) if len(known) == 1 else [p for p in self.priors if p in known]

    def pairs(self):
        """All (priors, case) of the run."""
        return [(p, c) for c in self.cases for p in self.variants(c)]

    def of_case(self, case):
        """Names of the data sets of a case study."""
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
        return [n for n in self.datasets if n.startswith(("dutilh_", "sim_"))]

    def seed_for(self, *names):
        """A seed for one job: depends on its names and the run's seed, not on the order of jobs."""
        text = "/".join(map(str, (self.seed, *names)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % (2**31)

    def recipe(self, case):
        return CASES[case].networks[self.preset]

    def start_files(self, case, variant):
        """Bundle and card that a training starts from: shipped under the same prior, else under the printed one."""
        if self.recipe(case).get("start") != "shipped":
            return []
        folders = [shipped(case, v) for v in (variant, "paper")]
        folder = next((f for f in folders if (f / "bundle.keras").is_file()), None)
        if folder is None:
            raise BadInput(f"{folders[0]}: no networks to start from; use another preset than {self.preset}")
        return [str(folder / "bundle.keras"), str(folder / "card.json")]

    def simulated_units(self, case):
        """How many units a training simulates: what it costs, roughly."""
        return CASES[case].units[1] * sum(steps * batch for steps, batch, *_ in self.recipe(case)["schedule"]["phases"])

    def prior(self, case, variant):
        return CASES[case].prior(variant)
