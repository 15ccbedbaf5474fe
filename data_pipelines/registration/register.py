"""Puts a data directory into SeqIO's registries, where `seqio.get_mixture_or_task` finds it."""

import dataclasses
import pathlib
import re

import seqio

from data_pipelines.config import DataConfig
from data_pipelines.differences import difference_lines
from data_pipelines.fingerprint import needs_text
from data_pipelines.registration import lookup
from data_pipelines.registration.default_config import default_config
from data_pipelines.registration.mixture import RegisteredMixture
from data_pipelines.registration.registration import Registration
from data_pipelines.registration.task import RegisteredTask
from data_pipelines.registration.vocabulary import RowVocabulary
from data_pipelines.stream.resolve_mixture import resolve
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model

_VALID = re.compile(r"[\w.:#]+")
"""What SeqIO allows in a name."""


def register(data: str | pathlib.Path | DataConfig, name: str = "gato") -> list[str]:
    """Adds every task as `<name>.<task>` and every row group as the mixture `<name>:<group>`.

    Where there is one group, `<name>` is that mixture too; where there are several, looking `<name>` up is an error
    that lists them. Twice the same is no error. `seqio.add_global_cache_dirs` is told of the configuration's cache.

    Args:
      data: a data directory, all of whose tasks come at equal rates in one group of 1,024 places; or a configuration.
      name: of letters, digits and "_.:#".

    Returns:
      The names of the mixtures, one for each row group.

    Raises:
      DataError: the directory is not what the configuration needs.
      ValueError: a name that SeqIO does not allow, that somebody else has, or that stands for other data or settings;
        or budgets that do not fit.

    Examples:
      >>> import seqio
      >>> from data_pipelines import register
      >>> register("data", name="mine")
      ['mine:all']
      >>> seqio.get_mixture_or_task("mine.metaworld.drawer_close").num_input_examples("train")
      12
    """
    config = resolve(data if isinstance(data, DataConfig) else default_config(data))
    tasks = {task: f"{name}.{task}" for task in config.mixture.task_names}
    mixtures = {group: f"{name}:{group}" for group in sorted(config.mixture.groups)}
    for full in (name, *tasks.values(), *mixtures.values()):
        if not _VALID.fullmatch(full):
            raise ValueError(f"register: SeqIO allows letters, digits and any of '_.:#' in a name, found {full!r}")
    registration = Registration(name, dataclasses.replace(config, cache=""))
    if not _is_registered(registration, {*tasks.values()}, {name, *mixtures.values()}):
        _add(registration, mixtures)
    if config.cache:
        seqio.add_global_cache_dirs([config.cache])
    return list(mixtures.values())


def _is_registered(registration: Registration, tasks: set[str], mixtures: set[str]) -> bool:
    """Whether this very registration is there. Raises `ValueError` where its names stand for something else."""
    ours = [task for task in map(seqio.TaskRegistry.get, seqio.TaskRegistry.names()) if _is_of(task, registration.name)]
    if ours:
        earlier, now = ours[0].registration.fingerprint(), registration.fingerprint()
        if differences := difference_lines(earlier, now):
            listing = "\n  ".join(differences)
            raise ValueError(
                f"register: {registration.name!r} stands for other data or settings; give these another name "
                f"(registered -> here):\n  {listing}"
            )
    there = {*(tasks & set(seqio.TaskRegistry.names())), *(mixtures & set(seqio.MixtureRegistry.names()))}
    if ours and there == tasks | mixtures:
        return True
    if there:
        state = "some of its names were removed" if ours else "its names are taken"
        raise ValueError(f"register {registration.name!r}: {state}; expected all or none, found {sorted(there)}")
    return False


def _is_of(task: seqio.Task, name: str) -> bool:
    return isinstance(task, RegisteredTask) and task.registration.name == name


def _add(registration: Registration, mixtures: dict[str, str]) -> None:
    """Everything is made, and so checked, before the first thing is added."""
    config, recorded = registration.config, registration.recorded
    text = None
    if any(needs_text(config, task) for task in recorded.values()):
        text = TextTokenizer(resolve_text_model(config.tokens.text_model, config.directory))
    made = {}
    for group, mixture in mixtures.items():
        names = config.mixture.groups[group].tasks
        specs = {task: recorded[task].spec for task in names}
        vocabulary = RowVocabulary(
            config.tokens,
            text,
            group=config.mixture.groups[group],
            task_names=config.mixture.task_names,
            layouts={task: TimestepLayout.build(spec, config.tokens) if spec else None for task, spec in specs.items()},
        )
        tasks = [RegisteredTask(registration, task, vocabulary) for task in names]
        made[mixture] = RegisteredMixture(mixture, group, tasks)
    for mixture in made.values():
        for task in mixture.tasks:
            seqio.TaskRegistry.add_provider(task.name, task)
        seqio.MixtureRegistry.add_provider(mixture.name, mixture)
    first, *others = made.values()
    if others:
        tasks = [task for mixture in made.values() for task in mixture.tasks]
        lookup.add_note(registration.name, list(made), tasks)
    else:
        seqio.MixtureRegistry.add_provider(registration.name, first)
