"""From JAX to ONNX: the functions of a fit as programs that need neither JAX nor Keras.

    f(y, mask, x, sequence, rows)  ->  its jaxpr, simplified  ->  ONNX (jax2onnx), compared with f

Rows, such as draws, come in pieces of a fixed number, units in the frames of training. What jax2onnx makes is compared
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
from jax.extend import core
from jax.interpreters import partial_eval

from amortmix.inference import psis
from amortmix.inference.exported import ANSWER, PROVIDERS, SIZES, file_of, session, session_options, write
from amortmix.inference.replay import replay
from amortmix.model import identity
from amortmix.model.data import one_sequence
from amortmix.model.description import Description
from amortmix.storage.files import BadInput

#: Largest difference of an output from JAX's, relative to one plus its size: of all but one in a hundred numbers, and
#: of any, for single precision is lost along the flow far out.
CLOSE, CLOSE_FAR_OUT = 1e-4, 1e-2
#: Share of most probable states that may differ: of two paths that are as probable either may be named.
TIES = 1e-3
DATA_SETS, SEED = 3, 2026
#: Rows of noise that are doubled, so that they lie in the tails of the flow.
FAR_OUT = 100
#: Largest difference of a log weight of the others, in nats; of k-hat, and of the effective number, as a share.
WEIGHT, RELIABLE = 0.05, 0.05


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
    # all of JAX's part first: once jax2onnx is imported, functions of jax.numpy are not what they were
    description = Description.of(model, identity.parts(model))
    traced = {}
    for place, frame in enumerate(model.design.frames):
        tried = _simulated(amortized, model.in_frame(place))
        traced |= {(n, file_of(n, frame)): _trace(n, f, tried) for n, f in amortized.functions.items()}
    programs = {file: _convert(name, t) for (name, file), t in traced.items()}
    outputs = {name: t.outputs for (name, _), t in traced.items()}
    for (name, file), t in traced.items():
        _check(name, t, session(programs[file]))
    write(folder, description, outputs, amortized.card["sha256"], programs)


class _Traced(NamedTuple):
    """A function as a jaxpr of arrays, with names and examples."""

    closed: Any
    inputs: list
    outputs: list
    examples: list
    expected: list


def _simulated(amortized, model):
    """Data sets with the rows of every function: [(Data, {name: rows})], draws of the flow and, worse, of the prior."""
    found = []
    for key in jax.random.split(jax.random.key(SEED), DATA_SETS):
        key_data, key_noise, key_prior, key_gumbel = jax.random.split(key, 4)
        data = jax.jit(model.simulate_dataset)(key_data)[1]
        data = jax.tree.map(jnp.asarray, one_sequence(data))
        # the last ones far out
        noise = jax.random.normal(key_noise, (SIZES["answer"], model.free)).at[-FAR_OUT:].multiply(2)
        theta, u = amortized.run("answer", data, noise)[:2]
        prior = np.asarray(jax.vmap(model.sample_prior)(jax.random.split(key_prior, SIZES["answer"])))
        inside = np.asarray(jax.vmap(model.bijection(data).inverse)(prior))
        possible = np.isfinite(inside).all(1)
        theta = np.where((np.arange(len(theta)) % 2 > 0)[:, None] & possible[:, None], prior, theta)
        u = np.where((np.arange(len(u)) % 2 > 0)[:, None] & possible[:, None], inside, u)
        gumbel = jax.random.gumbel(key_gumbel, (SIZES["paths"], len(data.y), len(model.states)))
        rows = {
            "answer": (noise,),
            "states": (u[: SIZES["states"]],),
            "units": (theta,),
            "unconstrain": (theta,),
            "path": (u[:1],),
            "paths": (theta[: SIZES["paths"]], gumbel),
            "members": (theta,),
            "tails": (theta[: SIZES["tails"]],),
        }
        found.append((data, rows))
    return found


def _trace(name, function, tried):
    """`_Traced` of a function, with what JAX answers for every one tried."""
    data, rows = tried[0][0], tried[0][1][name]
    given = [k for k, v in data._asdict().items() if v is not None]
    number = len(given)

    def flat(*arrays):
        known = data._replace(**dict(zip(given, arrays)))
        return jax.tree.leaves(function(known, *arrays[number:]))

    examples = [[*(getattr(d, k) for k in given), *map(jnp.asarray, r[name])] for d, r in tried]
    run = jax.jit(flat)
    expected = [[np.asarray(x) for x in run(*arrays)] for arrays in examples]
    with mock.patch.object(spline_transform, "searchsorted", _edges_below):
        closed = jax.make_jaxpr(lambda *arrays: flat(*arrays))(*examples[0])
    inputs = [*given, *(f"rows_{i}" for i in range(len(rows)))]
    outputs = _names(name, jax.eval_shape(function, data, *rows))
    return _Traced(closed, inputs, outputs, [[np.asarray(a) for a in arrays] for arrays in examples], expected)


def _check(name, traced, run):
    """Raise `ExportFailed` unless a program answers as JAX does."""
    for arrays, expected in zip(traced.examples, traced.expected):
        found = run.run(traced.outputs, {k: v for k, v in zip(traced.inputs, arrays) if k in run.used})
        for output, a, b in zip(traced.outputs, found, expected):
            if output == "theta":  # far out it is an exponential of u, which is compared itself
                a, b = a[:-FAR_OUT], b[:-FAR_OUT]
            _compare(f"{name}, {output}", a, b)
        if name == "answer":
            _compare_weights(*(dict(zip(traced.outputs, x)) for x in (found, expected)))


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


def _compare_weights(found, expected):
    """Raise `ExportFailed` if importance weights differ: of two densities, large numbers, the difference counts."""
    (ours, k, ess), (theirs, k_jax, ess_jax) = _weights(found), _weights(expected)
    difference = np.abs(ours - theirs)[np.isfinite(theirs)].max()
    if not (difference < WEIGHT and abs(k - k_jax) < RELIABLE and abs(ess / ess_jax - 1) < RELIABLE):
        raise ExportFailed(f"answer: importance weights differ from those of JAX by up to {difference:.2g} nats")


def _weights(outputs):
    """log w of the draws that are not far out, their k-hat and effective number."""
    target, proposal = (outputs[name][:-FAR_OUT].astype(float) for name in ("log_joint", "log_q"))
    smoothed = psis.smooth(target, proposal)
    return psis.log_ratio(target, proposal), smoothed.pareto_k, smoothed.ess


def _convert(name, traced):
    """Bytes of the ONNX program of a jaxpr."""
    closed = traced.closed
    jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars), instantiate=True)
    with _quiet(), _compatible():
        from jax2onnx import to_onnx

        try:
            program = to_onnx(
                lambda *arrays: replay(jaxpr, closed.consts, arrays),
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
