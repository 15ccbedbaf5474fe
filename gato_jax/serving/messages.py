"""MessagePack with NumPy arrays, as openpi's clients and servers write it.

An array is a map {b"__ndarray__": true, b"data", b"dtype", b"shape"}, a scalar {b"__npgeneric__": true, b"data",
b"dtype"}. Nothing here runs code that a message names: only numbers, strings and bytes become arrays.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

KINDS = "biufSU"
"""Kinds of dtypes that a message may hold: truth values, integers, floats, bytes and text."""
ITEMS = 4096
"""A message holds no map, and no list, of more items."""


class MessageError(ValueError):
    """A message that cannot be read, or a value that no message can hold."""


def pack(message: Mapping[str, Any]) -> bytes:
    """A message as bytes.

    Raises:
      MessageError: a value that is no number, text, bytes, list, map or array of them.
    """
    try:
        return msgpack.packb(message, default=_packed)
    except (TypeError, ValueError, OverflowError) as error:
        raise MessageError(f"cannot be sent: {error}") from error


def unpack(data: bytes) -> dict[str, Any]:
    """The message in `data`. Its arrays are read-only.

    Raises:
      MessageError: what is no MessagePack, no map with text as keys, or an array whose parts do not fit each other.
    """
    try:
        message = msgpack.unpackb(
            data, object_hook=_unpacked, strict_map_key=False, max_map_len=ITEMS, max_array_len=ITEMS
        )
    except MessageError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        reason = str(error) or type(error).__name__
        raise MessageError(f"expected a MessagePack map, found {len(data)} bytes that are none: {reason}") from error
    if not isinstance(message, dict):
        raise MessageError(f"expected a map of observations, found {type(message).__name__}")
    if wrong := [key for key in message if not isinstance(key, str)]:
        raise MessageError(f"expected text as keys, found {wrong[0]!r:.80}")
    return message


def _packed(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in KINDS:
        raise TypeError(f"an array of dtype {value.dtype}")
    if isinstance(value, np.ndarray):
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"a value of type {type(value).__name__}")


def _unpacked(value: dict[Any, Any]) -> Any:
    if b"__ndarray__" in value:
        return _array(value)
    if b"__npgeneric__" in value:
        dtype = _dtype(value)
        try:
            return dtype.type(value[b"data"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MessageError(f"a number of dtype {dtype.str!r} that is none: {error}") from error
    return value


def _array(value: dict[Any, Any]) -> np.ndarray:
    dtype, data, shape = _dtype(value), value.get(b"data"), value.get(b"shape")
    if not isinstance(data, bytes) or not isinstance(shape, (list, tuple)):
        raise MessageError("an array without data and shape")
    if not all(isinstance(size, int) and size >= 0 for size in shape) or len(shape) > 16:
        raise MessageError(f"an array of shape {shape!s:.80}")
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise MessageError(f"an array of {dtype.str} {list(shape)} has {expected} bytes, found {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape)


def _dtype(value: dict[Any, Any]) -> np.dtype:
    name = value.get(b"dtype")
    try:
        dtype = np.dtype(name) if isinstance(name, str) else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    # A name such as "f4,f4" is of a structure, and "(3,)f4" of a sub-array.
    if dtype is None or dtype.kind not in KINDS or dtype.shape or not dtype.itemsize:
        raise MessageError(f"an array of dtype {name!r:.80}; expected truth values, integers, floats, bytes or text")
    return dtype
