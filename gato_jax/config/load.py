"""Experiments by name, by Python file, or by resolved config.json."""

import dataclasses
import difflib
import importlib
import importlib.util
import pkgutil
import traceback
from pathlib import Path
from typing import Any

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.mixtures.named import NAMED
from data_pipelines.read_json import read_json
from data_pipelines.schema import RowGroup
from data_pipelines.storage.recorded_tasks import SPEC, check_recorded, read_spec, recorded_tasks
from data_pipelines.tokenizers.layout import TimestepLayout
from gato_jax.config.experiment import Experiment

EXPERIMENTS = "experiments"


def load_experiment(name: str | Path) -> Experiment:
    """An experiment by name ("quickstart"), by path to a Python file, or by path to a resolved config.json.

    A Python file holds a function `experiment()` or a value `EXPERIMENT`.

    Raises:
      ValueError: no such name (with the nearest ones), or a file that is damaged or holds no experiment.
      FileNotFoundError: no such JSON file.

    Examples:
      >>> import gato_jax
      >>> gato_jax.load_experiment("gato_79m").model.width
      768
    """
    path = Path(name)
    if path.suffix == ".json":
        content = read_json(path, "an experiment, as a run's config.json holds it")
        try:
            return Experiment.from_dict(content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    if path.suffix == ".py":
        module = load_module(path, "experiment")
    else:
        module = experiment_module(str(name))
    if hasattr(module, "experiment"):
        experiment = module.experiment()
    elif hasattr(module, "EXPERIMENT"):
        experiment = module.EXPERIMENT
    else:
        raise ValueError(f"experiment {name} has neither a function experiment() nor a value EXPERIMENT")
    if not isinstance(experiment, Experiment):
        raise ValueError(f"experiment {name}: expected an Experiment, found a {type(experiment).__name__}")
    return experiment


def load_module(path: Path, what: str) -> Any:
    """The module of a user's Python file. Raises `ValueError` with file, line and reason if it cannot be imported."""
    if not path.is_file():
        raise ValueError(f"{what} file {path} does not exist")
    spec = importlib.util.spec_from_file_location(f"{what}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{what} file {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # Whatever the user's code raises is an error of that file.
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        where = f", line {line}" if line else ""
        raise ValueError(f"{what} file {path}{where}: {type(error).__name__}: {error}") from error
    return module


def load_data(source: str) -> DataConfig:
    """The data of an experiment, of a run directory, of a mixture (name or YAML file) as gato_79m streams it, or of one
    recorded task by its directory.

    Raises:
      ValueError: none of these, with what was expected and the nearest names.
    """
    if (config := Path(source) / "config.json").is_file():
        return load_experiment(config).data
    if (Path(source) / SPEC).is_file():
        return task_data(Path(source))
    if source.endswith((".yaml", ".yml")) or (source in NAMED and source not in experiment_names()):
        data = load_experiment("gato_79m").data
        mixture = dataclasses.replace(data.mixture, named=source, renormalise=True)
        return dataclasses.replace(data, mixture=mixture)
    path = Path(source)
    if path.suffix not in (".py", ".json") and (len(path.parts) > 1 or path.is_dir()):
        raise ValueError(_nothing_to_read(path))
    return load_experiment(source).data


def _nothing_to_read(path: Path) -> str:
    """What a path should have been, and what is there."""
    expected = "expected a recorded task (DATA/TASK), a run directory, or an experiment's .py or .json file"
    if path.is_dir() and (tasks := recorded_tasks(path)):
        return f"{path}: {expected}, found a data directory; name one of its tasks: {path / tasks[0]}"
    if not path.parent.is_dir():
        return f"{path}: {expected}; there is no directory {path.parent}"
    kind = "a directory without spec.json" if path.is_dir() else "a file" if path.exists() else "nothing"
    tasks = recorded_tasks(path.parent)
    near = f"; recorded in {path.parent}: {difflib.get_close_matches(path.name, tasks, n=3) or tasks}" if tasks else ""
    return f"{path}: {expected}, found {kind}{near}"


TASK_PLACES = 1024
TASK_TIMESTEPS = 16


def task_data(path: Path) -> DataConfig:
    """One recorded task alone, without an experiment: rows of some timesteps, in gato_79m's tokens.

    Raises:
      DataError: the directory holds no whole task.
    """
    directory, name = path.absolute().parent, path.absolute().name
    check_recorded(directory, [name])
    tokens = load_experiment("gato_79m").data.tokens
    places, patches = TASK_PLACES, TASK_PLACES
    if (spec := read_spec(directory, name)) is not None:
        # Whatever is there is shown: texts and pictures that are longer than the paper's too.
        tokens = dataclasses.replace(tokens, text_tokens=max(tokens.text_tokens, 64), max_observation_tokens=2**16)
        layout = TimestepLayout.build(spec, tokens)
        shown = max(1, min(TASK_TIMESTEPS, TASK_PLACES // layout.length))
        places, patches = shown * layout.length, shown * layout.patches
    group = RowGroup((name,), windows=1, window_length=places, patches=patches)
    mixture = MixtureConfig({name: 1.0}, {"task": group}, rows_per_step=8)
    stream = StreamConfig(virtual_shards=1, reseed_every=100, shuffle_buffer=64, prompt_share=0.0)
    return DataConfig(str(directory), tokens, mixture, stream)


def experiment_names() -> list[str]:
    """Names that `load_experiment` knows: the modules of `experiments/`."""
    package = importlib.import_module(EXPERIMENTS)
    modules = (entry.name for entry in pkgutil.iter_modules(package.__path__) if not entry.ispkg)
    return sorted(name for name in modules if not name.startswith("_"))


def experiment_module(name: str) -> Any:
    """Module `experiments.<name>`, imported at run time: the one edge of the house that runs up."""
    names = experiment_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names
        raise ValueError(
            f"unknown experiment {name!r}; did you mean {' or '.join(near)}? A path to a .py file works too"
        )
    return importlib.import_module(f"{EXPERIMENTS}.{name}")
