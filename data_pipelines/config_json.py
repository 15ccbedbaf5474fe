"""Frozen dataclasses of configuration <-> JSON, with errors that name the key."""

import dataclasses
import difflib
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any


def encode(value: Any, *, sort_keys: bool = False) -> Any:
    """Dataclasses, enums, mappings and tuples -> what `json` writes.

    With `sort_keys`, mappings come in the order of their keys, so that equal ones are written equally; the fields of a
    dataclass keep theirs.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: encode(getattr(value, field.name), sort_keys=sort_keys) for field in fields}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        items = sorted(value.items()) if sort_keys else value.items()
        return {str(key): encode(item, sort_keys=sort_keys) for key, item in items}
    if isinstance(value, (tuple, list)):
        return [encode(item, sort_keys=sort_keys) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"cannot write a {type(value).__name__} into a config: {value!r}")


def decode(kind: Any, data: Any, *, path: str = "") -> Any:
    """The inverse of `encode` for a value annotated as `kind`.

    Raises:
      ValueError: an unknown key (with the nearest known ones), a missing key, or a value of another type; the message
        has the key's path.
    """
    where = path or "config"
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, data, path)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        (only,) = [argument for argument in arguments if argument is not type(None)]
        return decode(only, data, path=path)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        values = [member.value for member in kind]
        if data not in values:
            near = difflib.get_close_matches(str(data), map(str, values), n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise ValueError(f"{where}: expected one of {values}, found {data!r}{hint}")
        return kind(data)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(data, Mapping):
            raise ValueError(f"{where}: expected a mapping, found {data!r}")
        return {key: decode(arguments[1], item, path=f"{where}.{key}") for key, item in data.items()}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        if not isinstance(data, (list, tuple)):
            raise ValueError(f"{where}: expected a list, found {data!r}")
        open_ended = Ellipsis in arguments or origin is not tuple
        if not open_ended and len(data) != len(arguments):
            raise ValueError(f"{where}: expected {len(arguments)} values, found {list(data)}")
        kinds = [arguments[0]] * len(data) if open_ended else arguments
        return tuple(decode(one, item, path=f"{where}[{i}]") for i, (one, item) in enumerate(zip(kinds, data)))
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind in (int, float, str, bool) and type(data) is not kind:
        raise ValueError(f"{where}: expected {kind.__name__}, found {data!r}")
    return data


def _decode_dataclass(kind: Any, data: Any, path: str) -> Any:
    where = path or kind.__name__
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: expected the fields of {kind.__name__}, found {data!r}")
    hints, fields = typing.get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}
    for key in data:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=3) or sorted(fields)
            raise ValueError(f"{where}: unknown key {key!r}; did you mean {' or '.join(map(repr, near))}?")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise ValueError(f"{where}: missing key {name!r}")
    prefix = f"{path}." if path else ""
    return kind(**{key: decode(hints[key], value, path=prefix + key) for key, value in data.items()})
