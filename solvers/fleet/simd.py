"""Eight numbers at once: a vector type for numba, so that a kernel treats eight devices as one.

LLVM does not vectorise the fleet recursion by itself (its scratch arrays might overlap, for all it knows), and the
branches of a scalar version cost more than its arithmetic. Here ``a + b``, ``a <= b`` and ``where(mask, a, b)`` on
eight doubles become one or two machine instructions each, and there is nothing left to mispredict. Machines with
narrower registers get several instructions from LLVM, with the same result.

Put here: the type, its arithmetic, loads and stores. Keep out: anything about batteries.
numba does not see this file when it decides whether a cached kernel is fresh: touch the kernels after a change here.
"""

# ruff: noqa: ANN401, ARG001 - numba's own objects and typing contexts: it asks by position and names no type

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, overload, register_model

WIDTH: Final = 8
"""Numbers in a vector: one AVX-512 register of doubles."""

_VECTOR: Final = ir.VectorType(ir.DoubleType(), WIDTH)
_BITS: Final = ir.VectorType(ir.IntType(1), WIDTH)
_ALIGN: Final = 8  # numpy promises alignment of one double, not of eight

_Emit = Callable[..., Any]


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Float64x8")


class _Mask(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Bool8")


vector_type: Final = _Vector()
mask_type: Final = _Mask()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: object, fe_type: types.Type) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


@register_model(_Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm: object, fe_type: types.Type) -> None:
        super().__init__(dmm, fe_type, _BITS)


def _emitted(function: Callable[..., Any]) -> Any:
    """Let kernels call what ``function`` emits."""
    return intrinsic(function)


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), _VECTOR.as_pointer())


@_emitted  # pragma: no cover - runs while numba compiles, not from its cache
def load(_typing: object, array: types.Array, index: types.Integer) -> tuple[Any, _Emit]:
    """Return ``array[index : index + 8]`` of a contiguous array; the caller keeps it inside."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(_address(context, builder, signature, arguments))
        value.align = _ALIGN
        return value

    return vector_type(array, types.intp), emit


@_emitted  # pragma: no cover - runs while numba compiles, not from its cache
def store(_typing: object, array: types.Array, index: types.Integer, value: _Vector) -> tuple[Any, _Emit]:
    """Write a vector to ``array[index : index + 8]`` of a contiguous array; the caller keeps it inside."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        written = builder.store(arguments[2], _address(context, builder, signature, arguments))
        written.align = _ALIGN
        return context.get_dummy_value()

    return types.none(array, types.intp, vector_type), emit


@_emitted  # pragma: no cover - runs while numba compiles, not from its cache
def splat(_typing: object, number: types.Float) -> tuple[Any, _Emit]:
    """Return a vector that holds ``number`` eight times."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(nothing, arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))

    return vector_type(types.float64), emit


@_emitted  # pragma: no cover - runs while numba compiles, not from its cache
def where(_typing: object, mask: _Mask, chosen: _Vector, other: _Vector) -> tuple[Any, _Emit]:
    """Return ``chosen`` where ``mask`` is set and ``other`` elsewhere."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return vector_type(mask_type, vector_type, vector_type), emit


@_emitted  # pragma: no cover - runs while numba compiles, not from its cache
def any_set(_typing: object, mask: _Mask) -> tuple[Any, _Emit]:
    """Return whether a mask is set anywhere."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(WIDTH)
        return builder.icmp_unsigned("!=", builder.bitcast(arguments[0], byte), byte(0))

    return types.boolean(mask_type), emit


@_emitted  # pragma: no cover - runs while numba compiles, not from its cache
def total(_typing: object, vector: _Vector) -> tuple[Any, _Emit]:
    """Return the sum of the eight numbers, added in order."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        numbers = [builder.extract_element(arguments[0], ir.IntType(32)(lane)) for lane in range(WIDTH)]
        result = numbers[0]
        for number in numbers[1:]:
            result = builder.fadd(result, number)
        return result

    return types.float64(vector_type), emit


def _binary(result: types.Type, operand: types.Type, emit_of: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """Return a numba function of two vectors (or masks) that emits one instruction or two."""

    @_emitted  # pragma: no cover - likewise
    def function(_typing: object, left: types.Type, right: types.Type) -> tuple[Any, _Emit]:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return emit_of(builder, *arguments)

        return result(operand, operand), emit

    return function


def _operator(symbol: Callable[..., Any], function: Callable[..., Any], kind: types.Type) -> None:
    @overload(symbol)
    def _for_vectors(a, b):  # noqa: ANN001, ANN202 - numba compares this signature with the lambda's
        if a is kind and b is kind:
            return lambda a, b: function(a, b)  # noqa: PLW0108 - numba compares the names of the arguments
        return None


def _comparison(symbol: str) -> Callable[..., Any]:
    # Ordered: a comparison with NaN is false, so NaN is never taken for a cheaper slope.
    return _binary(mask_type, vector_type, lambda builder, a, b: builder.fcmp_ordered(symbol, a, b))


least = _binary(vector_type, vector_type, lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))
most = _binary(vector_type, vector_type, lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))

_operator(operator.add, _binary(vector_type, vector_type, lambda b, x, y: b.fadd(x, y)), vector_type)
_operator(operator.sub, _binary(vector_type, vector_type, lambda b, x, y: b.fsub(x, y)), vector_type)
_operator(operator.mul, _binary(vector_type, vector_type, lambda b, x, y: b.fmul(x, y)), vector_type)
_operator(operator.truediv, _binary(vector_type, vector_type, lambda b, x, y: b.fdiv(x, y)), vector_type)
_operator(operator.le, _comparison("<="), vector_type)
_operator(operator.lt, _comparison("<"), vector_type)
_operator(operator.ge, _comparison(">="), vector_type)
_operator(operator.gt, _comparison(">"), vector_type)
_operator(operator.and_, _binary(mask_type, mask_type, lambda b, x, y: b.and_(x, y)), mask_type)
_operator(operator.or_, _binary(mask_type, mask_type, lambda b, x, y: b.or_(x, y)), mask_type)
