"""What commands share: how they read an experiment, how they print, and how they refuse. Imports nothing heavy."""

import json as json_module
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tyro

if TYPE_CHECKING:
    from gato_jax.config import Experiment

DATA = pathlib.Path("gato-quickstart/data")
"""Data directory when none is named: the quickstart's."""

REGISTRY = tyro.constructors.ConstructorRegistry()
"""How words become values that tyro does not know; the files of commands add rules."""


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


def experiment_argument(command: str, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The experiment that a command begins with, and the rest."""
    if not arguments or arguments[0].startswith("-"):
        raise UsageError(
            f"gato {command} needs an experiment before its options; experiments here: {experiments_here()}"
        )
    return arguments[0], list(arguments[1:])


def experiments_here() -> str:
    """Names of the experiments in `experiments/`."""
    from gato_jax import config

    return ", ".join(config.experiment_names())


def read_experiment(
    command: str, name: str, default: "Experiment", arguments: Sequence[str], description: str | None = None
) -> "Experiment":
    """An experiment with those of its fields that the arguments name."""
    from gato_jax import config

    return tyro.cli(
        config.Experiment,
        default=default,
        args=arguments,
        prog=f"gato {command} {name}",
        description=description,
        config=(tyro.conf.AvoidSubcommands,),
    )


def show(data: Any, table: Any, as_json: bool) -> None:
    """Prints a result: as JSON, as the text it is, or as a `rich` table."""
    if as_json:
        print(json_module.dumps(data, indent=2))
    elif isinstance(table, str):
        print(table)
    else:
        import rich

        rich.print(table)
