"""How a command reads an experiment: its name, those of its fields that the command line sets, and their help."""

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tyro

from gato_jax.cli.common import UsageError, with_new_flags

if TYPE_CHECKING:
    from gato_jax.config import Experiment

COMMON = (
    "data.directory", "data.cache", "data.stream.seed", "data.mixture.rows_per_step", "model.width", "model.layers",
    "model.heads", "model.positions", "train.steps", "train.minutes", "train.seed", "train.dtype", "train.log_every",
    "train.checkpoint_every", "train.keep", "train.evaluate_every", "optimizer.learning_rate", "optimizer.warmup_steps",
    "mesh.fsdp", "step.microbatches",
)  # fmt: skip
"""Fields that `--help` shows; there are some 250, which `--help-all` shows."""


def experiment_argument(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The experiment that a command begins with, and the rest."""
    if not arguments or arguments[0].startswith("-"):
        raise UsageError(f"needs an experiment before its options; experiments here: {experiments_here()}")
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

    prog = f"gato {command} {name}"
    arguments = with_new_flags(config.Experiment, arguments)
    if {"-h", "--help"} & set(arguments):
        told = f"{description or default.name} These are the common ones of its fields; --help-all shows all."
        common = _part(default, [path.split(".") for path in COMMON])
        tyro.cli(type(common), default=common, args=["--help"], prog=prog, description=told)
    arguments = ["--help" if argument == "--help-all" else argument for argument in arguments]
    return tyro.cli(
        config.Experiment,
        default=default,
        args=_keys_named(default, arguments),
        prog=prog,
        description=description,
        config=(tyro.conf.AvoidSubcommands,),
    )


def _part(value: Any, paths: Iterable[Sequence[str]]) -> Any:
    """A dataclass's value with only the fields at these paths, their types and their words."""
    deeper: dict[str, list[Sequence[str]]] = {}
    for first, *rest in paths:
        deeper.setdefault(first, []).extend([rest] if rest else [])
    hints = typing.get_type_hints(type(value), include_extras=True)
    values = {name: _part(getattr(value, name), of) if of else getattr(value, name) for name, of in deeper.items()}
    fields = [(name, type(values[name]) if of else hints[name]) for name, of in deeper.items()]
    kind = dataclasses.make_dataclass(type(value).__name__, fields, frozen=True, namespace={"__doc__": value.__doc__})
    return kind(**values)


def _keys_named(default: "Experiment", arguments: Sequence[str]) -> list[str]:
    """`--data.mixture.weights TASK 20` as tyro reads it, which knows the keys of a dictionary that has any as options.

    Raises:
      UsageError: a key that is not in the dictionary, with the nearest ones, or one without a value.
    """
    key_arguments, waiting = [], list(arguments)
    while waiting:
        argument = waiting.pop(0)
        numbers = _numbers_at(default, argument)
        if numbers is None:
            key_arguments.append(argument)
            continue
        while waiting and not waiting[0].startswith("--"):
            key = waiting.pop(0)
            if key not in numbers:
                near = difflib.get_close_matches(key, numbers, n=3) or list(numbers)
                raise UsageError(f"{argument}: expected a key that the experiment has, found {key!r}; nearest: {near}")
            if not waiting or waiting[0].startswith("--"):
                raise UsageError(f"{argument} {key} needs a value")
            key_arguments += [f"{argument}.{key}", waiting.pop(0)]
    return key_arguments


def _numbers_at(default: "Experiment", argument: str) -> Mapping[str, float] | None:
    """The dictionary of numbers that an option names, if it names one that is not empty."""
    value: Any = default
    for part in argument.removeprefix("--").replace("-", "_").split("."):
        value = getattr(value, part, None) if dataclasses.is_dataclass(value) else None
    is_numbers = isinstance(value, Mapping) and all(isinstance(one, int | float) for one in value.values())
    return value if is_numbers and value else None
