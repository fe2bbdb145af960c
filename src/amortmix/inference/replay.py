"""A function of JAX in the form in which ONNX Runtime is fast: its jaxpr, run again.

Calls are written out, arrays keep no last axes of length one, and a number that is spread over an array stays a number.
"""

import numpy as np
from jax import lax
from jax.extend import core

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


def replay(jaxpr, consts, arrays):
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
            found = replay(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), values)
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
