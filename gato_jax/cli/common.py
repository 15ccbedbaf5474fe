"""What commands share: how they are called, how they print, and how they refuse. Imports nothing heavy."""

import inspect
import json as json_module
import pathlib
import typing
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import tyro

from data_pipelines import ranges
from data_pipelines.config_json import path_with_new_names

DATA = pathlib.Path("gato-quickstart/data")
"""Data directory when none is named: the quickstart's."""

REGISTRY = tyro.constructors.ConstructorRegistry()
"""How words become values that tyro does not know; the files of commands add rules."""


class UsageError(Exception):
    """A command line that cannot be carried out; shown without a traceback."""


def call(command: Callable[..., None], arguments: Sequence[str], name: str) -> None:
    """Calls a command with the arguments of a command line; `name` is what the user typed, such as "gato play".

    Positional arguments are shown by their names, and numbers are checked against the ranges that the command declares.

    Raises:
      UsageError: a number outside its range, before the command does anything.
    """

    def checked(**options: Any) -> None:
        try:
            ranges.check_call(command, options, named=option_name)
        except ValueError as error:
            raise UsageError(str(error)) from error
        command(**options)

    hints = {key: _with_metavar(key, hint) for key, hint in typing.get_type_hints(command, include_extras=True).items()}
    signature = inspect.signature(command)
    parameters = [each.replace(annotation=hints[key]) for key, each in signature.parameters.items()]
    # tyro reads the one, the other and the docstring.
    checked.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    checked.__annotations__, checked.__doc__ = hints, command.__doc__
    tyro.cli(checked, args=list(arguments), prog=name, registry=REGISTRY)


def option_name(parameter: str) -> str:
    """`filter_floor` -> "--filter-floor"."""
    return f"--{parameter.replace('_', '-')}"


def with_new_flags(kind: Any, arguments: Sequence[str]) -> list[str]:
    """Flags that name settings of a `kind` by old names -> by those of today, each with one warning."""
    return [_with_new_flag(kind, argument) if argument.startswith("--") else argument for argument in arguments]


def _with_new_flag(kind: Any, argument: str) -> str:
    flag, equals, value = argument.partition("=")
    path = flag.removeprefix("--")
    parts = zip(path.split("."), path_with_new_names(kind, path).split("."), strict=True)
    new = "--" + ".".join(before if before == now else now.replace("_", "-") for before, now in parts)
    if new == flag:
        return argument
    warnings.warn(f"{flag} is now called {new}", FutureWarning, stacklevel=2)
    return f"{new}{equals}{value}"


def _with_metavar(name: str, hint: Any) -> Any:
    """RUN instead of PATH; words to choose from stay."""
    markers = getattr(hint, "__metadata__", ())
    if tyro.conf.Positional not in markers or typing.get_origin(hint.__origin__) is typing.Literal:
        return hint
    several = typing.get_origin(hint.__origin__) is tuple
    shown = name.upper().removesuffix("S") if several else name.upper()
    return Annotated[hint, tyro.conf.arg(metavar=f"{shown} [{shown} ...]" if several else shown)]


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


def json_object(option: str, text: str) -> dict[str, Any]:
    """What an option holds that is written as JSON. Raises `UsageError` for anything but an object."""
    try:
        value = json_module.loads(text)
    except json_module.JSONDecodeError as error:
        raise UsageError(
            f"{option}: expected a JSON object such as '{{\"g\": 9.8}}', found {text!r}: {error}"
        ) from error
    if not isinstance(value, dict):
        raise UsageError(f"{option}: expected a JSON object such as '{{\"g\": 9.8}}', found {text!r}")
    return value


def show(data: Any, table: Any, as_json: bool) -> None:
    """Prints a result: as JSON, as the text it is, or as a `rich` table."""
    if as_json:
        print(json_module.dumps(data, indent=2))
    elif isinstance(table, str):
        print(table)
    else:
        import rich

        rich.print(table)
