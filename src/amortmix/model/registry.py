"""Where models come from: the library, or a user's file."""

import importlib
import importlib.util
import linecache
import sys
import types
from pathlib import Path

from amortmix.model.declare import Model
from amortmix.storage.files import BadInput

LIBRARY = Path(__file__).parents[1] / "library"


def names():
    """Names of the models of the library."""
    return sorted(p.stem for p in LIBRARY.glob("*.py") if not p.stem.startswith("_"))


def find(name):
    """A model of the library by its name, or of a file by its path.

    Parameters
    ----------
    name : str, Path or Model
        A model is returned as it is.

    Raises
    ------
    BadInput
        One line that names those that exist, or what is wrong with the file.

    Examples
    --------
    >>> am.find("gaussian_hmm").parameter_names
    ('alpha_11', 'alpha_22', 'mu_1', 'mu_2')
    """
    if isinstance(name, Model):
        return name
    if str(name).endswith(".py"):
        return load_file(name)
    if not isinstance(name, (str, Path)):
        raise BadInput(f"a model of type {type(name).__name__}; expected a declaration, a name or a path")
    if name not in names():
        raise BadInput(f"unknown model {name!r}; expected one of {', '.join(names())}, or the path of a .py file")
    return importlib.import_module(f"amortmix.library.{name}").MODEL


def load_file(path):
    """The `MODEL` of a user's file."""
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file; expected a Python file that defines MODEL")
    return load_source(path.read_text(encoding="utf-8"), str(path))


def load_source(text, origin):
    """The `MODEL` of a module's text; ``origin`` is its file, for messages."""
    stem = Path(origin).stem
    module = types.ModuleType(f"amortmix_user_{stem}")
    module.__file__ = origin
    # the text that this model was made of, whatever its file says later
    module.__source__ = text
    # inspect finds the text of functions there, also where the file is elsewhere or gone
    linecache.cache[origin] = (len(text), None, text.splitlines(keepends=True), origin)
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, origin, "exec"), module.__dict__)
    except BadInput as error:
        raise BadInput(f"{origin}: {error}") from None
    except Exception as error:  # a user's code may raise anything; the line says what and where
        raise BadInput(
            f"{origin}, line {_line(error, origin)}: {type(error).__name__}: {_first_line(error)}"
        ) from error
    model = getattr(module, "MODEL", None)
    if not isinstance(model, Model):
        raise BadInput(f"{origin}: no MODEL; expected MODEL = am.Mixture(...) or am.HiddenMarkov(...)")
    return model


def _line(error, origin):
    """The last line of ``origin`` in a traceback."""
    if isinstance(error, SyntaxError):
        return error.lineno
    found, trace = "?", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == origin:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _first_line(error):
    return (str(error).splitlines() or [""])[0]
