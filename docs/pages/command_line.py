"""The command line, from the Typer application."""

import re

import typer

from amortmix.cli import app
from pages.markdown import code, table


def commands():
    """{name: command} of ``amortmix``."""
    return typer.main.get_command(app).commands


def page(root):
    """A section for each command: what it does, its arguments and options, and an example."""
    sections = "\n".join(section(name, command) for name, command in commands().items())
    return (
        "# Command line\n\n"
        "`amortmix COMMAND --help` prints the same. Wrong input ends with exit code 1 and one line; where several data "
        f"sets are fitted, with a line for each that cannot be read.\n\n{sections}"
    )


def section(name, command):
    """One command."""
    text, _, example = (command.help or "").partition("Example:")
    with typer.Context(command) as context:
        rows = [row(p, context) for p in command.params if p.name != "help"]
    parts = [f"## amortmix {name}\n", " ".join(text.split()) + "\n"]
    if example:
        parts.append(f"```console\n$ {' '.join(example.split())}\n```\n")
    if rows:
        parts.append(table(["argument or option", "default", "meaning"], rows))
    return "\n".join(parts)


def row(parameter, context):
    """How a parameter is written, its default and its help, from what ``--help`` says."""
    names, words = parameter.get_help_record(context)
    words, *notes = re.split(r"\s*\[(?=default: |required)", words.removesuffix("]"))
    note = notes[0].removeprefix("default: ") if notes else ""
    return [code(names.replace("\b", "").strip("*: ")), note if note == "required" else code(note), words]
