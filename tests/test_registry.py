"""Models of the library and of files; a file that cannot be used is one line."""

import pytest
from test_identity import TEXT

from amortmix.model import registry
from amortmix.storage.files import BadInput


def test_names_and_models_of_the_library():
    assert {"evidence_accumulation", "gaussian_hmm", "gaussian_mixture"} <= set(registry.names())
    for name in registry.names():
        assert registry.find(name).name == name
    model = registry.find("gaussian_hmm")
    assert registry.find(model) is model


def test_a_file_anywhere(tmp_path):
    path = tmp_path / "two_rates.py"
    path.write_text(TEXT)
    assert registry.find(path).name == registry.find(str(path)).name == "two_rates"


def test_a_model_without_a_name_has_that_of_its_file(tmp_path):
    path = tmp_path / "my_rates2.py"
    path.write_text(TEXT.replace('    name="two_rates",\n', ""))
    model = registry.load_file(path)
    assert (model.name, model.title) == ("my_rates2", "my rates2")
    path.write_text(TEXT.replace('    name="two_rates",\n', '    title="Rates",\n'))
    model = registry.find(path)
    assert (model.name, model.title) == ("my_rates2", "Rates")


MISTAKES = {
    "syntax": ("x = (\n", "line 1: SyntaxError: '(' was never closed"),
    "error": ("x = 1\ny = x / 0\n", "line 2: ZeroDivisionError: division by zero"),
    "import": ("import no_such_package\n", "line 1: ModuleNotFoundError: No module named 'no_such_package'"),
    "two lines": ('raise RuntimeError("first\\nsecond")\n', "line 1: RuntimeError: first"),
    "nothing": ("x = 1\n", "no MODEL; expected MODEL = am.Mixture(...) or am.HiddenMarkov(...)"),
    "no model": ("MODEL = 1\n", "no MODEL; expected MODEL = am.Mixture(...) or am.HiddenMarkov(...)"),
    "declaration": (TEXT.replace("units=(50, 100)", "units=(100, 50)"), "two_rates: units is (100, 50); expected"),
    "prior": (TEXT.replace("return {", "return no_such_name, {"), "line "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_broken_file_is_one_line(mistake, tmp_path):
    text, expected = MISTAKES[mistake]
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        registry.find(path)
    message = str(error.value)
    assert message.startswith(f"{path}") and "\n" not in message
    assert message[len(str(path)) :].lstrip(":, ").startswith(expected)


def test_what_does_not_exist_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="unknown model 'hmm'; expected one of evidence_accumulation, gaussian_hmm"):
        registry.find("hmm")
    with pytest.raises(BadInput, match="no such file; expected a Python file that defines MODEL"):
        registry.find(tmp_path / "mine.py")
