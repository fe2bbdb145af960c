"""The models of a run as its plan sees them: found by name or file, changed by ``config/models.yaml``.

Every job begins with the plan. So that none loads JAX to read it, what a plan needs to know of a model is kept in
``.cache/models``; it belongs to the text of the declaration, to the changes and to the library that derives it.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import yaml

import amortmix
from amortmix.storage.files import BadInput, plain, read_json, write_json
from amortmix_paper.places import in_project
from amortmix_paper.schemas import check

CACHE = Path(".cache/models")
PACKAGE = Path(amortmix.__file__).parent
LIBRARY = PACKAGE / "library"
#: What the facts follow from, beside the declaration.
DERIVED_BY = ("model/*.py", "training/recipes.py")
#: Pages that are about no single model: name -> title.
PAGES = {
    "table1": "Table 1",
    "all_trials": "All trials",
    "smoothing": "Smoothing",
    "errata": "Errata",
    "ablation": "Ablation",
    "components": "How many components",
    "factorization": "Indicators first",
    "epidemic": "An epidemic",
    "fields": "Published data of other fields",
    "population": "Populations",
    "spatial": "One field, every method",
    "break_even": "Break-even",
    "overview": "Start here",
}


class Facts(NamedTuple):
    """What a plan needs to know of a model.

    Attributes
    ----------
    stan : str or None
        Path of its Stan program.
    demos : list of str
    references : dict
        Variant of the prior, the default first -> reference, see `amortmix_paper.models`.
    recipes : dict
        ``smoke`` and ``full`` -> the derived recipe of its networks.
    description : dict
        What reading a table takes, see `amortmix.model.description.Description`.
    """

    name: str
    title: str
    dependent: bool
    has_density: bool
    units: list
    observations: list
    stan: str | None
    demos: list
    references: dict
    recipes: dict
    description: dict


class Models:
    """Models by name, as far as data sets name them.

    Parameters
    ----------
    settings : path
        ``config/models.yaml``: what is changed without Python, see `read_settings`.
    """

    def __init__(self, settings):
        self.settings = read_settings(settings)
        self._where = settings
        self._library = sorted(p.stem for p in LIBRARY.glob("*.py") if not p.stem.startswith("_"))
        self._sources, self._facts, self._found = {}, {}, {}

    def find(self, source, where):
        """The name of the model that a row names, by its name or by its file; thousands of rows name the same."""
        source = in_project(source) if source.endswith(".py") else source
        if source not in self._found:
            self._found[source] = self._find(source, where)
        return self._found[source]

    def _find(self, source, where):
        if source in self._library:
            file = LIBRARY / f"{source}.py"
        elif source.endswith(".py"):
            file = Path(source)
        else:
            known = ", ".join(self._library)
            raise BadInput(f"{where}: unknown model {source!r}; expected {known} or the path of a .py file")
        if not file.is_file():
            raise BadInput(f"{where}: no such file {source}; expected a Python file that defines MODEL")
        facts = self._known(source, file)
        if source not in self._library:
            self._check_name(facts.name, source, where)
        if self._sources.setdefault(facts.name, source) != source:
            other = self._sources[facts.name]
            raise BadInput(f"{where}: {source} has the name {facts.name}, as {other} has; expected another name")
        self._facts[facts.name] = facts
        return facts.name

    def __getitem__(self, name):
        return self._facts[name]

    def is_own(self, name):
        """Whether a file of the user's declares it."""
        return self._sources[name] not in self._library

    def source(self, name):
        """Name or file by which data sets name a model."""
        return self._sources[name]

    def check_settings(self):
        """Raise `BadInput` if ``config/models.yaml`` changes a model that there is not."""
        known = sorted({*self._facts, *self._library})
        for name in self.settings:
            if name not in known:
                raise BadInput(f"{self._where}, {name}: unknown model; expected one of {', '.join(known)}")

    def _check_name(self, name, source, where):
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise BadInput(f"{where}: {source} has the name {name!r}; expected letters, digits and '_'")
        if name in self._library or name in PAGES:
            kind = "a model of the library" if name in self._library else "a page"
            raise BadInput(f"{where}: {source} has the name {name}, which {kind} has; expected another name")

    def _known(self, source, file):
        """Facts of a model, derived only once for the same text and changes."""
        # the name, to which changes belong, stands in the declaration: all of them are part of the key
        key = json.dumps([source, file.read_text(encoding="utf-8"), self.settings, derivation()])
        path = CACHE / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"
        if not path.is_file():
            write_json(path, _derive(source, self.settings, self._where)._asdict())
        return Facts(**read_json(path))


def derivation():
    """Checksum of the code from which facts of models follow, and how tables are read."""
    texts = [p.read_bytes() for pattern in DERIVED_BY for p in sorted(PACKAGE.glob(pattern))]
    return hashlib.sha256(b"\n".join([*texts, Path(__file__).read_bytes()])).hexdigest()


def _derive(source, settings, where):
    from amortmix.mcmc.blocks import stan_file
    from amortmix.model import registry
    from amortmix.model.description import Description
    from amortmix.training.recipes import default_recipe
    from amortmix_paper.models import changed_model, references

    changes = settings.get(registry.find(source).name, {})
    model = changed_model(source, changes)
    return Facts(
        name=model.name,
        title=model.title,
        dependent=model.dependent,
        has_density=model.has_density,
        units=list(model.units),
        observations=list(model.observations),
        stan=None if stan_file(model) is None else str(stan_file(model)),
        demos=list(model.demos),
        references=references(source, changes, f"{where}, {model.name}"),
        recipes={"smoke": plain(default_recipe(model, smoke=True)), "full": plain(default_recipe(model))},
        description=plain(Description.of(model, {}).as_json()),
    )


def read_settings(path):
    """Content of ``config/models.yaml``, checked: {model: units, observations, hyperparameters, recipe}."""
    if not Path(path).is_file():
        raise BadInput(f"{path}: no such file; expected changes of models, or an empty file")
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    check(content, "models", path)
    for name, changes in content.items():
        for key in ("units", "observations"):
            low, high = changes.get(key, (1, 1))
            if low > high:
                raise BadInput(f"{path}, {name}.{key}: [{low}, {high}]; expected the smaller number first")
    return content
