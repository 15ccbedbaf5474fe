"""Frozen dataclasses of configuration <-> JSON, with errors that name the key; and the settings that were renamed."""

import dataclasses
import difflib
import enum
import functools
import types
import typing
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

RENAMED: Mapping[str, Mapping[str, str]] = {
    "RowGroup": {"segments": "windows", "segment_length": "window_length"},
    "StreamConfig": {"segment_steps": "reseed_every"},
    "TrainConfig": {"policy": "mixture_controller"},
    "ExperimentLimits": {"segment_length": "window_length"},
}
"""Dataclass -> old name of a field -> its name: the one table. By it configs are decoded, fingerprints compared, and
the flags of a command line and the keywords of Python read."""

_Kind = TypeVar("_Kind", bound=type)


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
    data = _with_new_keys(kind, data, where)
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


def _with_new_keys(kind: Any, data: Mapping[str, Any], where: str) -> dict[str, Any]:
    names = RENAMED.get(kind.__name__, {})
    for old, new in names.items():
        if old in data and new in data:
            raise ValueError(f"{where}: {old!r} is the old name of {new!r}, found both; keep {new!r}")
    return {names.get(key, key): value for key, value in data.items()}


def with_new_names(kind: Any, data: Any) -> Any:
    """What `encode` wrote of a `kind`, or a part of it, with the fields' names of today. Unknown keys stay."""
    return _with_names(kind, data, RENAMED)


def with_old_names(kind: Any, data: Any) -> Any:
    """The inverse of `with_new_names`. Fingerprints are kept so: what is equal has had equal ones since before."""
    return _with_names(kind, data, {name: {new: old for old, new in of.items()} for name, of in RENAMED.items()})


def _with_names(kind: Any, data: Any, table: Mapping[str, Mapping[str, str]]) -> Any:
    kind = _only(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(data, Mapping):
        names, hints = table.get(kind.__name__, {}), _hints_by_every_name(kind)
        return {names.get(key, key): _with_names(hints.get(key), value, table) for key, value in data.items()}
    arguments = typing.get_args(kind)
    if isinstance(data, Mapping) and len(arguments) == 2:
        return {key: _with_names(arguments[1], value, table) for key, value in data.items()}
    if isinstance(data, list) and arguments:
        return [_with_names(arguments[0], value, table) for value in data]
    return data


def path_with_new_names(kind: Any, path: str) -> str:
    """A path to a setting of a `kind`, such as "data.stream.reseed_every", with the names of today.

    Dashes may stand for underscores, as on a command line. A part that is no old name stays as it is.
    """
    parts = path.split(".")
    for place, part in enumerate(parts):
        kind = _only(kind)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            name = part.replace("-", "_")
            parts[place] = RENAMED.get(kind.__name__, {}).get(name, part)
            kind = _hints_by_every_name(kind).get(name)
        elif len(arguments := typing.get_args(kind)) == 2:  # A mapping: this part is a key of it.
            kind = arguments[1]
        else:
            break
    return ".".join(parts)


def _only(kind: Any) -> Any:
    """`X` of `X | None`."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next(argument for argument in typing.get_args(kind) if argument is not type(None))
    return kind


def _hints_by_every_name(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return hints | {old: hints[new] for old, new in RENAMED.get(kind.__name__, {}).items() if new in hints}


def old_names_work(kind: _Kind) -> _Kind:
    """A dataclass that takes its renamed fields by their old names too, and has them, with a `FutureWarning`."""
    names, init = RENAMED[kind.__name__], kind.__init__  # type: ignore[misc]  # Of this very class.

    @functools.wraps(init)
    def renamed(self: Any, *values: Any, **fields: Any) -> None:
        for old in [name for name in names if name in fields]:
            _warn(kind, old)
            if names[old] in fields:
                raise TypeError(f"{kind.__name__}: {old} is the old name of {names[old]}, and both are given")
            fields[names[old]] = fields.pop(old)
        init(self, *values, **fields)

    def reading(old: str) -> property:
        def read(self: Any) -> Any:
            _warn(kind, old)
            return getattr(self, names[old])

        return property(read, doc=f"Old name of `{names[old]}`.")

    kind.__init__ = renamed  # type: ignore[misc]
    for old in names:
        setattr(kind, old, reading(old))
    return kind


def _warn(kind: type, old: str) -> None:
    new = RENAMED[kind.__name__][old]
    warnings.warn(f"{kind.__name__}.{old} is now called {new}", FutureWarning, stacklevel=3)
