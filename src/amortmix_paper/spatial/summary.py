"""A summary of a field that knows one thing about it: its likelihood is a function of quadratic forms.

    S(Z) = g(log mean_s (w_k * Z_r)^2(s)),   k = 1 ... 32 learned filters w_k at each resolution r = 1, 1/2, 1/4

A filter (1, -1) gives the variogram at the distance of neighbours, at half the resolution that of means of four cells.
With BayesFlow's network of general convolutions the RMSPE of forward KL was 0.0325 at best, instead of 0.0285, after
four times the CPU time.
"""

import keras
from bayesflow.networks import SummaryNetwork
from keras import ops

from amortmix.networks.layers import dense_stack

FILTERS, SIZE, RESOLUTIONS = 32, 3, 3
TINY = 1e-6


class FilterVariances(SummaryNetwork):
    """Mean squares of learned filters, and a network of their logarithms.

    Parameters
    ----------
    summary : int
        Numbers that the field becomes.
    widths : tuple of int
        Hidden widths of g.
    """

    def __init__(self, summary, widths, **kwargs):
        super().__init__(**kwargs)
        self.filters = [keras.layers.Conv2D(FILTERS, SIZE, use_bias=False) for _ in range(RESOLUTIONS)]
        self.body = dense_stack(widths)
        self.head = keras.layers.Dense(summary)

    def call(self, x, training=False):
        """Summaries (b, d) of fields (b, 16, 16, 1)."""
        squares = []
        for filters in self.filters:
            squares.append(ops.mean(ops.square(filters(x)), axis=(1, 2)))
            x = ops.average_pool(x, 2, 2)
        return self.head(self.body(ops.log(ops.concatenate(squares, axis=-1) + TINY), training=training))
