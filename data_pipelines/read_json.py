"""Reading JSON files that may be cut short, empty or of another kind: one error names the file, expected and found."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class DamagedFile(ValueError):
    """A file that does not hold what it should; the message names it, what was expected and what was found."""


def read_json(
    path: str | Path,
    what: str,
    *,
    kind: type = dict,
    keys: Iterable[str] | Mapping[str, type | tuple[type, ...]] = (),
    remedy: str = "",
) -> Any:
    """The content of a JSON file.

    Args:
      path: the file.
      what: what it is, for messages: "the summary of a run".
      kind: of its content, `dict` or `list`.
      keys: that have to be there; as a mapping, with the kind of each one's value.
      remedy: what to do about a damaged file, for messages: "remove it and run the same command again".

    Raises:
      FileNotFoundError: there is no such file.
      DamagedFile: not a file, not UTF-8, not JSON (cut short, empty), of another kind, or without one of the keys.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected {what}, found no such file{_also(remedy)}")
    if not path.is_file():
        raise DamagedFile(f"{path}: expected {what}, found something that is no file{_also(remedy)}")
    return parse_json(path.read_bytes(), f"{path}", what, kind=kind, keys=keys, remedy=remedy)


def parse_json(
    data: bytes,
    where: str,
    what: str,
    *,
    kind: type = dict,
    keys: Iterable[str] | Mapping[str, type | tuple[type, ...]] = (),
    remedy: str = "",
) -> Any:
    """The same of bytes; `where` they come from is for messages. Raises `DamagedFile`."""

    def damaged(expected: str, found: str) -> DamagedFile:
        return DamagedFile(f"{where}: expected {expected}, found {found}{_also(remedy)}")

    try:
        content: Any = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(what, json_damage(data, error)) from error
    if not issubclass(type(content), kind):
        raise damaged(f"{what}, a JSON {_NAMES[kind]}", f"a {_name(content)}")
    kinds = keys if isinstance(keys, Mapping) else dict.fromkeys(keys, object)
    for key, expected in kinds.items():
        if key not in content:
            raise damaged(f"{what} with the key {key!r}", f"only {sorted(content)[:10]}")
        expected_types = expected if isinstance(expected, tuple) else (expected,)
        value = content[key]
        # JSON's true is no number, although Python's is.
        if not isinstance(value, expected_types) or (
            isinstance(value, bool) and bool not in expected_types and object not in expected_types
        ):
            names = " or ".join(_NAMES.get(one, one.__name__) for one in expected_types)
            raise damaged(f"{what} with {key!r} as {names}", f"the {_name(value)} {json.dumps(value)[:80]}")
    return content


def json_damage(data: bytes, error: ValueError | RecursionError) -> str:
    """What is wrong with the content of a file that Python could not read as JSON, in words of the file."""
    if isinstance(error, json.JSONDecodeError):
        if not data.strip():
            return "an empty file"
        if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
            return f"{len(data):,} bytes that are cut short"
        return f"no JSON at line {error.lineno}, column {error.colno} ({error.msg}) of {len(data):,} bytes"
    # Not UTF-8; a number or a nesting beyond Python's limits.
    return f"{len(data):,} bytes that cannot be read: {str(error)[:120]}"


_NAMES: Mapping[type, str] = {
    dict: "object",
    list: "list",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
}


def _name(value: Any) -> str:
    return _NAMES[type(value)]


def _also(remedy: str) -> str:
    return f"; {remedy}" if remedy else ""
