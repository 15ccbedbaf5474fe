"""Where two descriptions, as `json` reads them, differ."""

from collections.abc import Mapping
from typing import Any


def differences(
    saved: Any, here: Any, path: str = "", *, inside_lists: bool = True, absent: str = "(absent)"
) -> list[tuple[str, Any, Any]]:
    """(key path, saved, here) of every leaf that differs; `absent` stands for what a side does not have.

    Without `inside_lists` a list is a leaf.
    """
    if inside_lists and isinstance(saved, list) and isinstance(here, list):
        saved, here = dict(enumerate(saved)), dict(enumerate(here))
    if isinstance(saved, Mapping) and isinstance(here, Mapping):
        prefix = f"{path}." if path else ""
        sides = [(key, saved.get(key, absent), here.get(key, absent)) for key in sorted({*saved, *here})]
        return [
            entry
            for key, left, right in sides
            for entry in differences(left, right, f"{prefix}{key}", inside_lists=inside_lists, absent=absent)
        ]
    return [] if saved == here else [(path, saved, here)]


def difference_lines(saved: Any, here: Any) -> list[str]:
    """One line "key: saved -> here" for each."""
    return [f"{key}: {left!r} -> {right!r}" for key, left, right in differences(saved, here)]
