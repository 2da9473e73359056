"""The one loop over series and, inside it, over indicators: all of a series' work is done while its bars are in cache.

Measured over 3,000 series: three times as fast as one indicator after the other over all series.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from realtime.addresses import call
from realtime.kernel import Floats

Ints = npt.NDArray[np.int64]
Columns = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
"""opened_at open high low close volume, each (series, bars)."""
FRAME = 15
"""Words that a fold finds at its frame: addresses of the row of states and of six columns, the columns' length and
mask, first and last bar, address of the outputs, floats per output, whether to commit, and address of a scratch."""
SIGNATURE = (
    "void(int64[::1], int64[::1], int64[::1], float64[:, ::1], float64[:, ::1], UniTuple(float64[:, ::1], 6), int64,"
    " int64[::1], int64[::1], int64[::1], float64[:, :, ::1], boolean)"
)
"""Addresses know no strides, so every array must be C-contiguous: others are refused here."""
MOST = 8
"""Floats per row of parameters; the last one is the size of the indicator's own memory."""


@njit(SIGNATURE, cache=True, error_model="numpy", nogil=True)
def fold_series(
    functions: Ints,
    ats: Ints,
    outputs: Ints,
    parameters: Floats,
    states: Floats,
    bars: Columns,
    mask: int,
    rows: Ints,
    begin: Ints,
    end: Ints,
    out: Floats,
    commit: bool,
) -> None:
    """Fold bars begin[k] to end[k] of series rows[k] through every function, into out[k, output, bar - begin[k]].

    Unless `commit`, states stay as they are.
    """
    frame = np.empty(FRAME, np.int64)
    opened_at, open_, high, low, close, volume = bars
    size = 8
    frame[7], frame[8], frame[12], frame[13] = close.shape[1], mask, out.shape[2], commit
    scratch = np.empty(int(parameters[:, MOST - 1].max()) + 1)
    frame[14] = scratch.ctypes.data
    words, given = frame.ctypes.data, parameters.ctypes.data
    for k in range(rows.shape[0]):
        before = rows[k] * close.shape[1] * size
        frame[0] = states.ctypes.data + rows[k] * states.shape[1] * size
        frame[1] = opened_at.ctypes.data + before
        frame[2] = open_.ctypes.data + before
        frame[3] = high.ctypes.data + before
        frame[4] = low.ctypes.data + before
        frame[5] = close.ctypes.data + before
        frame[6] = volume.ctypes.data + before
        frame[9], frame[10] = begin[k], end[k]
        frame[11] = out.ctypes.data + k * out.shape[1] * out.shape[2] * size
        for j in range(functions.shape[0]):
            call(functions[j], words, ats[j], outputs[j], given + j * MOST * size)
    scratch[0] = 0.0  # numba frees an array after its last use, and the functions know only its address
