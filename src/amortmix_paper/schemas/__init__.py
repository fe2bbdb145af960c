"""JSON schemas of the configuration files, and the one line that a file gets which does not fit."""

import json
from pathlib import Path

import fastjsonschema

from amortmix.storage.files import BadInput


def load(name):
    """The schema of a name: ``description`` says what a key means, ``expected`` the form of its values."""
    return json.loads((Path(__file__).parent / f"{name}.schema.json").read_text(encoding="utf-8"))


def defaults(name):
    """{key: default} of the keys at the top of a schema."""
    return {key: entry["default"] for key, entry in load(name)["properties"].items()}


def check(content, schema, where):
    """Raise `BadInput` with one line if ``content`` does not fit the schema of a name."""
    try:
        fastjsonschema.compile(load(schema), use_default=False)(content)
    except fastjsonschema.JsonSchemaValueException as error:
        place = ".".join(map(str, error.path[1:])) or "top level"
        raise BadInput(f"{where}, {place}: {_complaint(error)}") from None


def _complaint(error):
    """What is wrong with a value and what was expected, in one line."""
    if error.rule == "additionalProperties":
        known = error.definition["properties"]
        unknown = ", ".join(sorted(set(error.value) - set(known)))
        return f"unknown key {unknown}; expected {', '.join(sorted(known))}"
    if error.rule == "required":
        missing = ", ".join(k for k in error.rule_definition if k not in error.value)
        return f"no {missing}; expected {', '.join(error.rule_definition)}"
    if "expected" in error.definition:
        return f"{error.value!r}; expected {error.definition['expected']}"
    if error.rule == "enum":
        return f"{error.value!r}; expected {' or '.join(map(str, error.rule_definition))}"
    return f"{error.value!r}; expected: {error.rule} {error.rule_definition}"
