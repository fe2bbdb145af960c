"""The keys of the configuration, from the schemas and the presets."""

import json

import yaml

from amortmix_paper.schemas import load
from pages.markdown import code, table

PRESETS = ("smoke", "default", "longer", "paper")


def page(root):
    """Keys of ``config/config.yaml``, of its settings in each preset, and of ``config/models.yaml``."""
    schema, models = load("config"), load("models")
    keys = [
        [code(key), allowed(entry, schema), code(_short(entry["default"])), entry["description"]]
        for key, entry in schema["properties"].items()
    ]
    presets = {
        n: yaml.safe_load((root / "config" / "presets" / f"{n}.yaml").read_text(encoding="utf-8")) for n in PRESETS
    }
    settings = [
        [code(path), allowed(entry, schema), *(_setting(presets[n], path) for n in PRESETS), entry["description"]]
        for path, entry in leaves(schema["properties"]["settings"], "settings")
    ]
    return TEXT.format(
        keys=table(["key", "values", "default", "meaning"], keys),
        settings=table(["key", "values", *(f"`{n}`" for n in PRESETS), "meaning"], settings),
        models=table(
            ["key", "values"], [[code(p), allowed(e, models)] for p, e in leaves(models["additionalProperties"], "")]
        ),
    )


TEXT = """\
# Configuration of the workflow

Every key can be changed on the command line: `snakemake --cores all --config preset=smoke priors=reference`. A value
that does not fit stops the run with one line that names the key.

## config/config.yaml

{keys}
## Settings of the presets

A file in `config/presets/` sets budgets (`settings`) and recipes of networks (`recipes`). States are those of all
draws where `abi.states` is not set (–). Other presets are `wide` (networks for many designs and priors) and
`likelihood_free` (networks alone, no density in the training).

{settings}
## config/models.yaml

Changes of a model without Python, under its name: other ranges of N and P, hyperparameters of its prior, and entries
of the recipe of its networks.

```yaml
gaussian_hmm:
  units: [50, 300]
  hyperparameters: {{stay: [16.0, 4.0]}}
  recipe:
    flow: {{depth: 6}}
```

{models}"""


def leaves(schema, path):
    """(key, entry) of every key that is not an object with keys of its own."""
    for name, entry in schema.get("properties", {}).items():
        below = f"{path}.{name}".lstrip(".")
        if "properties" in entry:
            yield from leaves(entry, below)
        else:
            yield below, entry


def allowed(entry, schema):
    """What a schema's entry accepts, in words."""
    if "$ref" in entry:
        number, _ = schema["definitions"][entry["$ref"].rsplit("/", 1)[1]]["oneOf"]
        return f"{allowed(number, schema)}, {entry['expected']}"
    if "expected" in entry:
        return entry["expected"]
    if "enum" in entry:
        return ", ".join(code(v) for v in entry["enum"])
    if "oneOf" in entry:
        return " or ".join(allowed(e, schema) for e in entry["oneOf"])
    kind = entry.get("type", "")
    if kind == "array":
        return f"a list of {entry['minItems']}" if entry.get("minItems") == entry.get("maxItems", 0) else "a list"
    words = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "string": "text",
        "object": "a table of keys",
    }
    bounds = [f"at least {entry['minimum']}"] if "minimum" in entry else []
    bounds += [f"above {entry['exclusiveMinimum']}"] if "exclusiveMinimum" in entry else []
    bounds += [f"below {entry['exclusiveMaximum']}"] if "exclusiveMaximum" in entry else []
    return " ".join([words.get(kind, kind), " and ".join(bounds)]).strip()


def _setting(preset, path):
    found = preset
    for name in path.split("."):
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return "–" if found == {} else code(_short(found))


def _short(value):
    return json.dumps(value).strip('"')
