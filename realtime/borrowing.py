"""Arrays without reference counts, for loops whose arrays outlive them anyway.

numba counts references atomically wherever an array gets a name inside a loop: a step that hands columns to its parts
would pay ten times its arithmetic. A borrowed array has no owner to count, and LLVM removes what is left.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # has no types
from numba.core import types
from numba.extending import intrinsic, overload

from realtime.kernel import Floats


def borrowed(array: Floats) -> Floats:
    """Return the same array without its owner; the caller keeps the owner alive."""
    return array


@intrinsic
def _without_owner(_typing: Any, array: types.Array) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = ir.Constant(view.meminfo.type, None)
        view.parent = ir.Constant(view.parent.type, None)
        return view._getvalue()  # noqa: SLF001  # numba's own way to finish a struct

    return array(array), generate


@overload(borrowed)
def _borrowed(array):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001  # numba compares the signatures
    return lambda array: _without_owner(array)  # type: ignore[call-arg]  # noqa: PLW0108  # as numba calls it
