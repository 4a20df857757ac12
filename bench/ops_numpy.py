#!/usr/bin/python3
"""The reference of bench_ops: reads lines "operation side" and answers each with the seconds of one call."""
import os
import sys
import time

os.environ.pop("OPENBLAS_CORETYPE", None)
try:
    import numpy as np
except ImportError:
    sys.exit(1)

random = np.random.default_rng(1)
made = {}


def conv2d(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.tensordot(windows, w, axes=([3, 4, 5], [3, 1, 2]))


def conv1d(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x, 9, axis=1)
    return np.tensordot(windows, w, axes=([2, 3], [2, 1]))


def scatter(x, at, values):
    y = x.copy()
    y[at] = values
    return y


def put_along(x, at, values):
    y = x.copy()
    np.put_along_axis(y, at, values, -1)
    return y


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


OPS = {
    "add": lambda m: m.x + m.y,
    "multiply": lambda m: m.x * m.y,
    "exp": lambda m: np.exp(m.x),
    "tanh": lambda m: np.tanh(m.x),
    "where": lambda m: np.where(m.x > m.y, m.x, m.y),
    "broadcast": lambda m: m.x + m.row,
    "int_divide": lambda m: m.i // m.j,
    "sum_rows": lambda m: m.x.sum(-1),
    "sum_columns": lambda m: m.x.sum(0),
    "sum_all": lambda m: m.x.sum(),
    "max_rows": lambda m: m.x.max(-1),
    "argmax_rows": lambda m: m.x.argmax(-1),
    "argmax_columns": lambda m: m.x.argmax(0),
    "softmax": lambda m: softmax(m.x),
    "cumsum": lambda m: m.x.cumsum(-1),
    "sort": lambda m: np.sort(m.x, -1),
    "sort_64": lambda m: np.sort(m.x.reshape(-1, 64), -1),
    "argsort": lambda m: np.argsort(m.x, -1),
    "take": lambda m: np.take(m.x, m.at, 0),
    "gather": lambda m: np.take_along_axis(m.x, m.i, -1),
    "concatenate": lambda m: np.concatenate((m.x, m.y), -1),
    "transpose": lambda m: np.ascontiguousarray(m.x.T),
    "scatter": lambda m: scatter(m.row, m.many, m.values),
    "put_along": lambda m: put_along(m.x, m.i, m.y),
    "conv1d": lambda m: conv1d(m.signal, m.taps),
    "conv2d": lambda m: conv2d(m.image, m.filters),
    "fft": lambda m: np.fft.fft(m.x),
    "matmul": lambda m: m.x @ m.y,
    "matmul_f64": lambda m: m.x64 @ m.y64,
}


class Made:
    """The arrays of one side, as bench_ops.c makes them."""

    def __init__(self, n):
        self.x, self.y = (random.standard_normal((n, n), np.float32) for _ in range(2))
        self.row = self.y[0].copy()
        self.i = random.integers(0, n, (n, n), np.int32)
        self.j = random.integers(1, n, (n, n), np.int32)
        self.at = self.i[0].copy()
        self.image = random.standard_normal((1, n // 4, n // 4, 16), np.float32)
        self.signal = random.standard_normal((1, 16 * n, 16), np.float32)
        self.taps = random.standard_normal((16, 9, 16), np.float32)
        self.many, self.values = self.i.ravel(), self.y.ravel()
        self.filters = random.standard_normal((16, 3, 3, 16), np.float32)
        if n <= 1024:
            self.x64, self.y64 = self.x.astype(np.float64), self.y.astype(np.float64)


print("ready", flush=True)
for line in sys.stdin:
    name, side = line.split()
    if side not in made:
        made.clear()
        made[side] = Made(int(side))
    arrays, repeat = made[side], 32 if int(side) <= 256 else 1
    OPS[name](arrays)
    start = time.perf_counter()
    for _ in range(repeat):
        OPS[name](arrays)
    print((time.perf_counter() - start) / repeat, flush=True)
