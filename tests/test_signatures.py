"""Signatures: public functions say what shapes they take, and a wrong one is an error in tests."""

import importlib
import inspect
import types
import typing

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from checking import CHECKED, READ, checked

from amortmix.inference import psis
from amortmix.model import arrays, chains, distributions, hmm

#: What annotations that a run does not evaluate are evaluated with.
NAMES = {**vars(jaxtyping), **vars(arrays)}
#: Arguments that are no arrays: objects, whose own docstrings say what they are, and functions.
OBJECTS = {"self", "amortized", "model", "answer", "proposal", "proposals", "first", "pieces", "base", "distribution"}
OBJECTS |= {"ask", "enough"}
#: Methods of distributions, whose words are NumPyro's.
NUMPYRO = {"sample", "log_prob"}


def public(name):
    """{name: function} of the public functions and methods that a module defines."""
    module = importlib.import_module(f"amortmix.{name}")
    own = {key: x for key, x in vars(module).items() if getattr(x, "__module__", None) == module.__name__}
    for key, c in list(own.items()):
        if inspect.isclass(c):
            words = NUMPYRO if issubclass(c, distributions.Distribution) else ()
            own |= {f"{key}.{method}": f for method, f in vars(c).items() if method not in words}
    return {key: f for key, f in own.items() if inspect.isfunction(f) and not any(p[0] == "_" for p in key.split("."))}


@pytest.mark.parametrize("name", CHECKED + READ)
def test_public_functions_say_what_they_take(name):
    found = public(name)
    assert found
    for key, f in found.items():
        missing = set(inspect.signature(f).parameters) - OBJECTS - set(typing.get_type_hints(f, localns=NAMES))
        assert not missing, f"{name}.{key}: {missing}"


def evaluated(f):
    """A function with checks of annotations that a run does not evaluate."""
    hints = typing.get_type_hints(f, localns=NAMES)
    copy = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    copy.__annotations__ = hints
    return jaxtyping.jaxtyped(copy, typechecker=checked)


K, N, S = 2, 5, 3
INITIAL, TRANSITIONS = np.full(K, -0.7), np.full((K, K), -0.7)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: hmm.filter(INITIAL, TRANSITIONS, np.zeros((N, K + 1))),
        lambda: hmm.filter(INITIAL, TRANSITIONS, np.zeros((N, K)), starts=np.zeros(N + 1)),
        lambda: hmm.filter(INITIAL[:, None], TRANSITIONS, np.zeros((N, K))),
        lambda: hmm.filter(INITIAL, TRANSITIONS, np.zeros((N, K), int)),
        lambda: hmm.filter(np.zeros((N + 1, K)), np.zeros((N, K, K)), np.zeros((N, K))),
        lambda: hmm.sample_states(np.zeros((N, K, S)), TRANSITIONS, np.zeros((N, K)), np.ones(N)),
        lambda: hmm.simulate_states(jax.random.key(0), INITIAL, TRANSITIONS, N, np.zeros(N - 1)),
        lambda: chains.Memory(("a", "b"), 1).initial(np.ones(3) / 3, np.eye(2)),
        lambda: distributions.race_log_pdf(jnp.ones(4), jnp.ones(3), 1.0, 2.0, 1.0),
        lambda: jax.jit(distributions.ordered_normal_log_pdf)(jnp.ones((N, 2)), jnp.zeros(3), 1.0),
        lambda: evaluated(psis.smooth)(np.zeros(4), np.zeros(5)),
    ],
)
def test_a_wrong_shape_or_dtype_is_an_error(wrong):
    with pytest.raises(jaxtyping.TypeCheckError):
        wrong()


@pytest.mark.parametrize("trailing", [(), (S,)])
@pytest.mark.parametrize("units", [(), (K,)])
def test_layouts_of_one_length_are_told_apart(units, trailing):
    """As many units as states, so that (N, K) might be (K, draws): what has one layout is seen first."""
    log_lik = np.zeros((K, K, *trailing))
    found = hmm.filter(np.zeros((*units, K, *trailing)), np.zeros((*units, K, K, *trailing)), log_lik)
    assert found.log_filter.shape == log_lik.shape and found.log_marginal.shape == trailing
