"""The house: which room may import which, and how long a module may be."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
MODULES = sorted(p for p in SOURCE.rglob("*.py") if "templates" not in p.parts)

#: Rooms of the library from the ground up; each may import itself and those before it.
ROOMS = (
    ("amortmix.storage.files", "amortmix.storage.netcdf", "amortmix.progress", "amortmix.extras"),
    ("amortmix.model",),
    # the layout of a fit's file: a fit reads and writes itself
    ("amortmix.storage.tree",),
    ("amortmix.library",),
    ("amortmix.networks",),
    ("amortmix.training",),
    ("amortmix.inference", "amortmix.mcmc"),
    ("amortmix.diagnostics",),
    ("amortmix.plots",),
    (
        "amortmix.storage",
        "amortmix.api",
        "amortmix.trainer",
        "amortmix.model_comparison",
        "amortmix.page",
        "amortmix.notebook",
    ),
    ("amortmix.loading",),
    ("amortmix.points", "amortmix.populations", "amortmix.browser"),
    ("amortmix.cli",),
    ("amortmix.__main__",),
)

#: Imports that point upward, inside functions: a fit draws and checks itself, and so do many.
UPWARD = {(f"amortmix.inference.{name}", "amortmix.diagnostics.local") for name in ("fit", "fitting")} | {
    (f"amortmix.inference.{name}", "amortmix.plots") for name in ("fit", "many", "sensitivity")
}


def name_of(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def level(module):
    """The room of a module, by the longest name that fits; None where it belongs to none."""
    fitting = [(len(name), i) for i, room in enumerate(ROOMS) for name in room if f"{module}.".startswith(f"{name}.")]
    return max(fitting)[1] if fitting else None


def imports_of(path):
    """Modules that a file imports, also inside its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: a relative import"
            for alias in node.names:
                inside = SOURCE.joinpath(*node.module.split("."), f"{alias.name}.py")
                folder = SOURCE.joinpath(*node.module.split("."), alias.name, "__init__.py")
                found = inside.exists() or folder.exists()
                yield f"{node.module}.{alias.name}" if found else node.module


LIBRARY = [p for p in MODULES if name_of(p).startswith("amortmix.")]


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_imports_point_downward(path):
    """A module imports its own room and those below it, nothing above, and never the paper."""
    here = level(name_of(path))
    assert here is not None, f"{name_of(path)} is in no room"
    for imported in imports_of(path):
        assert not imported.startswith("amortmix_paper"), f"{name_of(path)} imports {imported}: the paper is a client"
        above = level(imported)
        if imported.startswith("amortmix.") and above is not None and (name_of(path), imported) not in UPWARD:
            assert above <= here, f"{name_of(path)} imports {imported}, which is above it"


def test_the_interface_imports_nothing_of_the_paper():
    assert not any(name.startswith("amortmix_paper") for name in imports_of(SOURCE / "amortmix" / "__init__.py"))


def test_rooms_know_their_order():
    assert level("amortmix.storage.files") < level("amortmix.model.declare") < level("amortmix.library.gaussian_hmm")
    assert level("amortmix.mcmc.engine") < level("amortmix.storage.bundle") and level("amortmix_paper.run") is None


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_a_docstring_and_is_short(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it is"
    assert text.count("\n") <= 300, f"{path} has {text.count(chr(10))} lines; expected at most 300"


def unnamed_encodings(path):
    """Lines of a file that read or write text in whatever encoding the user's locale has."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or any(k.arg == "encoding" for k in node.keywords):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        owner = getattr(getattr(node.func, "value", None), "id", None)
        binary = any(isinstance(a, ast.Constant) and "b" in str(a.value) for a in node.args[1:])
        text = any(k.arg in ("text", "universal_newlines") for k in node.keywords)
        named = name == "read_text" and node.args
        if (
            (name in ("read_text", "write_text") and not named)
            or (name == "open" and owner != "os" and not binary)
            or text
        ):
            yield node.lineno


@pytest.mark.parametrize("room", ["src", "workflow", "docs", "benchmarks", "models"])
def test_every_text_file_has_a_named_encoding(room):
    """Results and models are UTF-8 in every locale."""
    found = {str(p): list(unnamed_encodings(p)) for p in (ROOT / room).rglob("*.py")}
    assert not {path: lines for path, lines in found.items() if lines}


PAGE = ROOT / "page"


@pytest.mark.parametrize("path", sorted(PAGE.glob("src/**/*.js")), ids=lambda p: p.relative_to(PAGE).as_posix())
def test_a_module_of_the_page_says_what_it_is_and_is_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// ") and text.count("\n") <= 300


LIMITS = {p: 90 for p in (SOURCE / "amortmix" / "library").glob("*.py")} | {
    # the epidemic declares the curve of an outbreak as well, and models of published data say what each parameter is
    p: {"epidemic": 60, "recessions": 45, "elk": 45, "pay_off": 50}.get(p.stem, 25)
    for p in (ROOT / "models").glob("*.py")
}


@pytest.mark.parametrize("path", sorted(LIMITS), ids=lambda p: p.stem)
def test_a_declaration_is_short(path):
    lines = path.read_text().count("\n")
    assert lines <= LIMITS[path], f"{path} has {lines} lines; expected at most {LIMITS[path]}"
