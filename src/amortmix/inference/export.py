"""From JAX to ONNX: the functions of a fit as programs that need neither JAX nor Keras.

    f(y, mask, x, rows)  ->  its jaxpr, simplified  ->  ONNX (jax2onnx), compared with f

Rows, such as draws, come in pieces of a fixed number, units in the frame of training. What jax2onnx makes is compared
with JAX on simulated data, in the tails too: some functions convert without a word and are wrong.
"""

import contextlib
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
from bayesflow.networks.inference.coupling.transforms import spline_transform
from jax import lax
from jax.extend import core
from jax.interpreters import partial_eval

from amortmix.inference.exported import ANSWER, PROVIDERS, SIZES, session, session_options, write
from amortmix.model import identity
from amortmix.model.data import Data
from amortmix.model.description import Description
from amortmix.storage.files import BadInput

#: Largest difference of an output from JAX's, relative to one plus its size: of all but one in a hundred numbers, and
#: of any, for single precision is lost along the flow far out.
CLOSE, CLOSE_FAR_OUT = 1e-4, 1e-2
#: Share of most probable states that may differ: of two paths that are as probable either may be named.
TIES = 1e-3
DATA_SETS, SEED = 3, 2026
#: Primitives that call another function, and the parameter that holds it.
CALLS = {"jit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
#: Primitives whose output at a place depends on the inputs at that place alone.
ELEMENTWISE = {
    "abs", "add", "and", "asinh", "convert_element_type", "cos", "div", "eq", "erf", "exp", "expm1", "floor", "ge",
    "gt", "integer_pow", "is_finite", "le", "lgamma", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne",
    "neg", "not", "or", "pow", "rsqrt", "sign", "sin", "sqrt", "square", "stop_gradient", "sub", "tanh",
}  # fmt: skip
#: Primitives that leave axes of length one as they are, but for the axes.
REDUCTIONS = {"reduce_sum", "reduce_max", "reduce_min"}


class ExportFailed(BadInput):
    """A function cannot be exported, or what was exported is not the function; one line says which."""


def export(amortized, folder):
    """Write the programs of networks into ``folder``, once each agrees with JAX.

    Parameters
    ----------
    amortized : Amortized
        Its card needs ``sha256``, by which the programs belong to the networks.
    folder : path

    Raises
    ------
    ExportFailed
        Nothing is written then.
    """
    model = amortized.model
    if not model.has_density:
        raise ExportFailed(f"{model.name}: not exported, for a verdict without a density needs simulations, and so JAX")
    cases = _cases(amortized)
    # all of JAX's part first: once jax2onnx is imported, functions of jax.numpy are not what they were
    traced = {name: _trace(name, function, cases) for name, function in amortized.functions.items()}
    programs = {name: _convert(name, t) for name, t in traced.items()}
    outputs = {name: t.outputs for name, t in traced.items()}
    for name, t in traced.items():
        _check(name, t, session(programs[name]))
    write(folder, Description.of(model, identity.parts(model)), outputs, amortized.card["sha256"], programs)


class _Traced(NamedTuple):
    """A function as a jaxpr of arrays, with names and examples."""

    closed: Any
    inputs: list
    outputs: list
    examples: list
    expected: list


def _cases(amortized):
    """Data sets with the rows of every function: [(Data, {name: rows})], draws of the flow and, worse, of the prior."""
    model, found = amortized.model, []
    for key in jax.random.split(jax.random.key(SEED), DATA_SETS):
        key_data, key_noise, key_prior, key_gumbel = jax.random.split(key, 4)
        data = jax.jit(model.simulate_dataset)(key_data)[1]
        # the last hundred far out
        noise = jax.random.normal(key_noise, (SIZES["answer"], model.free)).at[-100:].multiply(2)
        theta, u = amortized.run("answer", data, noise)[:2]
        prior = np.asarray(jax.vmap(model.sample_prior)(jax.random.split(key_prior, SIZES["answer"])))
        inside = np.asarray(jax.vmap(model.bijection(data).inverse)(prior))
        possible = np.isfinite(inside).all(1)
        theta = np.where((np.arange(len(theta)) % 2 > 0)[:, None] & possible[:, None], prior, theta)
        u = np.where((np.arange(len(u)) % 2 > 0)[:, None] & possible[:, None], inside, u)
        gumbel = jax.random.gumbel(key_gumbel, (SIZES["paths"], model.units[1], len(model.states)))
        rows = {
            "answer": (noise,),
            "states": (u[: SIZES["states"]],),
            "units": (theta,),
            "unconstrain": (theta,),
            "path": (u[:1],),
            "paths": (theta[: SIZES["paths"]], gumbel),
        }
        found.append((data, rows))
    return found


def _trace(name, function, cases):
    """`_Traced` of a function, with what JAX answers for every case."""
    data, rows = cases[0][0], cases[0][1][name]
    number = 2 if data.x is None else 3

    def flat(*arrays):
        return jax.tree.leaves(function(Data(*arrays[:number]), *arrays[number:]))

    examples = [[*d[:number], *map(jnp.asarray, r[name])] for d, r in cases]
    run = jax.jit(flat)
    expected = [[np.asarray(x) for x in run(*arrays)] for arrays in examples]
    with mock.patch.object(spline_transform, "searchsorted", _edges_below):
        closed = jax.make_jaxpr(lambda *arrays: flat(*arrays))(*examples[0])
    inputs = [*("y", "mask", "x")[:number], *(f"rows_{i}" for i in range(len(rows)))]
    outputs = _names(name, jax.eval_shape(function, data, *rows))
    return _Traced(closed, inputs, outputs, [[np.asarray(a) for a in arrays] for arrays in examples], expected)


def _check(name, traced, run):
    """Raise `ExportFailed` unless a program answers as JAX does."""
    for arrays, expected in zip(traced.examples, traced.expected):
        found = run.run(traced.outputs, {k: v for k, v in zip(traced.inputs, arrays) if k in run.used})
        for output, a, b in zip(traced.outputs, found, expected):
            _compare(f"{name}, {output}", a, b)


def _edges_below(edges, values):
    """How many edges (..., E) lie below each value (..., 1): a search that is made of comparisons."""
    return jnp.sum(edges < values, axis=-1, keepdims=True)


def _names(name, shapes):
    """Names of the outputs, in the order of their leaves."""
    if name == "answer":
        return [k for k, v in zip(ANSWER, shapes) if v is not None]
    return sorted(shapes) if name == "states" else [name]


def _compare(what, found, expected):
    """Raise `ExportFailed` if a program does not say what JAX says."""
    if found.shape != expected.shape:
        raise ExportFailed(f"{what}: exported with shape {found.shape}; expected {expected.shape}")
    if expected.dtype.kind in "iu":
        wrong = np.mean(found != expected)
        if wrong > TIES:
            raise ExportFailed(f"{what}: {wrong:.2%} of the exported states are not those of JAX")
        return
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - expected) / (1 + np.abs(expected))
    difference = np.where((found == expected) | (np.isnan(found) & np.isnan(expected)), 0, difference)
    if not (np.quantile(difference, 0.99) <= CLOSE and difference.max() <= CLOSE_FAR_OUT):
        raise ExportFailed(f"{what}: exported numbers differ from those of JAX by {difference.max():.2g}")


def _convert(name, traced):
    """Bytes of the ONNX program of a jaxpr."""
    closed = traced.closed
    jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars), instantiate=True)
    with _quiet(), _compatible():
        from jax2onnx import to_onnx

        try:
            program = to_onnx(
                lambda *arrays: _replay(jaxpr, closed.consts, arrays),
                [a.shape for a in traced.examples[0]],
                model_name=name,
                input_names=traced.inputs,
                output_names=traced.outputs,
            )
        except NotImplementedError as error:
            raise ExportFailed(f"{name}: not exported, {error}") from error
    _forget_shapes(program.graph)
    return _simplified(program.SerializeToString())


def _simplified(program):
    """The program after those optimizations of ONNX Runtime that any machine may use: it then starts in a fifth."""
    with tempfile.TemporaryDirectory() as folder:
        options = session_options("ORT_ENABLE_BASIC")
        options.optimized_model_filepath = str(Path(folder) / "program.onnx")
        onnxruntime.InferenceSession(program, options, providers=PROVIDERS)
        return Path(options.optimized_model_filepath).read_bytes()


def _forget_shapes(graph):
    """Leave the shapes of inner values to ONNX Runtime: those that jax2onnx notes for loops contradict each other."""
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.Clear()
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _forget_shapes(attribute.g)


@contextlib.contextmanager
def _quiet():
    """jax2onnx reports each step to the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(level)


@contextlib.contextmanager
def _compatible():
    """jax2onnx looks for two classes of JAX where they were until JAX 0.12."""
    from jax._src import core as inner

    with contextlib.ExitStack() as stack:
        for name in ("Jaxpr", "ClosedJaxpr"):
            if not hasattr(inner, name):
                stack.enter_context(mock.patch.object(inner, name, getattr(core, name), create=True))
        yield


def _replay(jaxpr, consts, arrays):
    """Run a jaxpr with its calls written out and its arrays as small as they can be.

    ONNX Runtime is slow where an array has last axes of length one, and a constant that is spread over an array is kept
    whole: elementwise functions take arrays without those axes, and single numbers in the place of spread ones.
    """
    known = dict(zip(jaxpr.constvars, consts)) | dict(zip(jaxpr.invars, arrays))

    def small(v):
        return v.val if isinstance(v, core.Literal) else known[v]

    def whole(v):
        return _spread(small(v), v.aval.shape)

    for equation in jaxpr.eqns:
        primitive, parameters = equation.primitive, equation.params
        if primitive.name in CALLS:
            inner = parameters[CALLS[primitive.name]]
            values = map(whole, equation.invars)
            found = _replay(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), values)
        elif primitive.name == "broadcast_in_dim" and np.shape(small(equation.invars[0])) == ():
            found = [small(equation.invars[0])]
        elif primitive.name in ELEMENTWISE:
            found = [_elementwise(equation, map(small, equation.invars))]
        elif primitive.name in REDUCTIONS and _trivial(equation):
            found = [lax.reshape(whole(equation.invars[0]), equation.outvars[0].aval.shape)]
        else:
            found = primitive.bind(*map(whole, equation.invars), **parameters)
            found = found if primitive.multiple_results else [found]
        known.update(zip(equation.outvars, found))
    return [whole(v) for v in jaxpr.outvars]


def _trivial(equation):
    """Whether a reduction is over axes of length one alone."""
    shape = equation.invars[0].aval.shape
    return all(shape[axis] == 1 for axis in equation.params["axes"])


def _elementwise(equation, values):
    """The output of an elementwise primitive without last axes of length one, or a number if all inputs are."""
    shape = equation.outvars[0].aval.shape
    axes = max((i + 1 for i, n in enumerate(shape) if n != 1), default=0)
    values = [_reshaped(x, v.aval.shape[:axes]) for x, v in zip(values, equation.invars)]
    name = equation.primitive.name
    if name == "square" or (name == "integer_pow" and equation.params["y"] == 2):
        return lax.mul(values[0], values[0])  # as a power it takes thirty times as long
    return equation.primitive.bind(*values, **equation.params)


def _reshaped(x, shape):
    """An array in another shape; a number stays one."""
    return x if np.shape(x) in ((), tuple(shape)) else lax.reshape(x, shape)


def _spread(x, shape):
    """An array in its own shape."""
    return lax.broadcast(x, shape) if np.shape(x) == () and shape else _reshaped(x, shape)
