"""Arrays and functions by their address: how one loop drives every indicator's machine code.

An array made from an address has no owner. numba counts references atomically wherever an array gets a name inside a
loop, and a step that hands columns to its parts would pay ten times its arithmetic for it; here LLVM has nothing to
count. The caller keeps the memory alive. Uncompiled (NUMBA_DISABLE_JIT) the same functions work as plain Python.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]  # has no types
from numba.core import types
from numba.extending import intrinsic, overload

from realtime.kernels.kernel import Floats

Entry = Callable[[int, int, int, int], None]
"""What an indicator's `fold` is: frame, first float of its state, first output, parameters (addresses and indices)."""
PREFETCH = "llvm.prefetch.p0"
PLAIN: dict[int, Entry] = {}
"""Uncompiled functions by the number that stands for their address."""


def floats(address: int, count: int) -> Floats:
    """Return the float64 values at an address."""
    return np.ctypeslib.as_array((ctypes.c_double * int(count)).from_address(int(address)))


def column(address: int, count: int) -> Floats:
    """Return a column of bars at an address."""
    return floats(address, count)


def integers(address: int, count: int) -> npt.NDArray[np.int64]:
    """Return the int64 values at an address."""
    return np.ctypeslib.as_array((ctypes.c_int64 * int(count)).from_address(int(address)))


def call(address: int, frame: int, at: int, output: int, parameters: int) -> None:
    """Call the function at an address."""
    PLAIN[address](frame, at, output, parameters)


def fetch(address: int) -> None:
    """Ask the memory for the 64 bytes at an address, which will be needed soon."""


def _array_of(element: types.Type) -> Any:
    @intrinsic
    def at_address(_typing: Any, address: types.Integer, count: types.Integer) -> Any:
        array = types.Array(element, 1, "C")

        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            start, length = arguments
            view = context.make_array(array)(context, builder)
            word = length.type
            view.data = builder.inttoptr(start, view.data.type)
            view.nitems = length
            view.itemsize = ir.Constant(word, 8)
            view.shape = ir.Constant(ir.ArrayType(word, 1), None)
            view.shape = builder.insert_value(view.shape, length, 0)
            view.strides = ir.Constant(ir.ArrayType(word, 1), [ir.Constant(word, 8)])
            view.meminfo = ir.Constant(view.meminfo.type, None)
            view.parent = ir.Constant(view.parent.type, None)
            return view._getvalue()  # noqa: SLF001 - numba's own way to finish a struct

        return array(address, count), generate

    return at_address


_floats = _array_of(types.float64)
_integers = _array_of(types.int64)


@intrinsic
def _call(_typing: Any, address: types.Integer, frame: Any, at: Any, output: Any, parameters: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word] * 4)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(address, frame, at, output, parameters), generate


@intrinsic
def _fetch(_typing: Any, address: types.Integer) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = builder.module.globals.get(PREFETCH) or ir.Function(builder.module, kind, PREFETCH)
        read, near, data = ir.Constant(number, 0), ir.Constant(number, 3), ir.Constant(number, 1)
        builder.call(prefetch, [builder.inttoptr(arguments[0], pointer), read, near, data])
        return context.get_dummy_value()

    return types.void(address), generate


# numba compares the argument names of an overload with those of the function it stands for, so none has a type; and it
# wants a function of its own where a lambda looks needless.
@overload(floats)
def _floats_compiled(address, count):  # type: ignore[no-untyped-def]  # see above
    return lambda address, count: _floats(address, count)


@overload(column)
def _column_compiled(address, count):  # type: ignore[no-untyped-def]  # see above
    return lambda address, count: _floats(address, count)


@overload(integers)
def _integers_compiled(address, count):  # type: ignore[no-untyped-def]  # see above
    return lambda address, count: _integers(address, count)


@overload(fetch)
def _fetch_compiled(address):  # type: ignore[no-untyped-def]  # see above
    return lambda address: _fetch(address)  # type: ignore[call-arg]  # numba fills in the first


@overload(call)
def _call_compiled(address, frame, at, output, parameters):  # type: ignore[no-untyped-def]  # see above
    return lambda address, frame, at, output, parameters: _call(address, frame, at, output, parameters)  # type: ignore[call-arg]  # numba fills in the first
