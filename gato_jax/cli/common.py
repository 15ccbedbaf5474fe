"""What commands share: how they print, and how they refuse. Imports nothing heavy."""

import json as json_module
from collections.abc import Sequence
from typing import Any


class UsageError(Exception):
    """A command line that cannot be carried out; shown without a traceback."""


def take_option(arguments: Sequence[str], option: str) -> tuple[str | None, list[str]]:
    """Removes `option VALUE` or `option=VALUE` from the arguments."""
    rest: list[str] = []
    value: str | None = None
    remaining = iter(arguments)
    for argument in remaining:
        if argument == option:
            value = next(remaining, None)
            if value is None:
                raise UsageError(f"{option} needs a value")
        elif argument.startswith(option + "="):
            value = argument.partition("=")[2]
        else:
            rest.append(argument)
    return value, rest


def show(data: Any, table: Any, as_json: bool) -> None:
    """Prints a result: as JSON, as the text it is, or as a `rich` table."""
    if as_json:
        print(json_module.dumps(data, indent=2))
    elif isinstance(table, str):
        print(table)
    else:
        import rich

        rich.print(table)
