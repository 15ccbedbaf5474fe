"""The one door to weights: a run, a checkpoint of any mesh, or an export. Tensors are read one by one.

Whoever wants weights (acting, evaluating, playing, exporting, importing) opens them here. A checkpoint's files are
compared with their digests when it is opened, an export's tensors when they are read, and all values are finite.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipelines.tokenizers.text import resolve_text_model
from gato_jax.config import Experiment
from gato_jax.model.bins import folded
from gato_jax.training.checkpoints import checkpoint
from gato_jax.weights.config_file import check_shape, read_record
from gato_jax.weights.digests import FILE as DIGESTS
from gato_jax.weights.digests import check_file, checked, read_digests
from gato_jax.weights.safetensors_reader import Slot, check_tensors, find_tensors, read_json
from gato_jax.weights.tensor_names import BIN_WEIGHTS, TABLE, ExportError, assemble, parameter_leaves, tensors_of
from gato_jax.weights.weights import EXPORT_CONFIG, TOKENIZER, Weights

FORMAT = "gato-jax-export-2"
STEM, OPTIMIZER = "model", "optimizer"
FLOAT32 = np.dtype(np.float32)
LEAVES_PER_LAYER = 9
"""Tensors of one layer, at least; bounds what a config may claim before anything is built from it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Weights that can be read tensor by tensor.

    Args:
      path: the checkpoint, or the directory of an export.
      experiment: what they come from.
      meta: the checkpoint's metadata: step, data position, totals, seconds, loss, versions.
      text_model: path of the SentencePiece model, "" where there is none.
      read: a parameter by its name in a file; compared with its digest, and finite.
      optimizer: shapes of the optimizer's leaves; empty where it is not there.
      read_optimizer: one of them; compared and finite too.
      parameters: all parameters as `model.gato.bind` takes them, on the first device in float32.
    """

    path: Path
    experiment: Experiment
    meta: Mapping[str, Any]
    text_model: str
    read: Callable[[str], np.ndarray]
    optimizer: Mapping[str, jax.ShapeDtypeStruct]
    read_optimizer: Callable[[str], np.ndarray]
    parameters: Callable[[], dict[str, Any]]

    def identity(self) -> str:
        """A digest by which these weights are known again: of what their run had counted, and of their own digests."""
        digests = self.path / DIGESTS
        return hashlib.sha256(
            json.dumps(dict(self.meta), sort_keys=True).encode() + (digests.read_bytes() if digests.is_file() else b"")
        ).hexdigest()

    def weights(self, dtype: np.dtype = FLOAT32) -> Weights:
        """All of them on the first device in float32, read one by one; rounded to `dtype` before."""

        def read(name: str) -> np.ndarray:
            return self.read(name).astype(dtype, copy=False)

        return Weights(self.experiment, assemble(self.experiment, read), int(self.meta["step"]), self.text_model)


def open_source(path: Path | str, *, data: Path | str | None = None) -> Source:
    """A run (its latest checkpoint), one checkpoint, or an export.

    Raises:
      FileNotFoundError, CheckpointError, ExportError: nothing there, damaged, hostile, or of another architecture.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a run directory of `gato train`, or an export")
    if is_export(path):
        return open_export(path)
    try:
        checkpoint_path = checkpoint.find_checkpoint(path)
    except checkpoint.CheckpointError as error:
        raise ExportError(_neither(path)) from error
    return _checkpoint(checkpoint_path, data)


def is_export(path: Path) -> bool:
    """Whether a directory is to be read as an export, and not as a run."""
    return (path / EXPORT_CONFIG).exists() and not (path / checkpoint.DIRECTORY).is_dir()


def _neither(path: Path) -> str:
    """Says what a source has to be, and what is there instead."""
    names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    there = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "nothing in it"
    return (
        f"{path}: expected an export ({EXPORT_CONFIG} of `gato export`, beside {STEM}.safetensors) or a run "
        f"({checkpoint.DIRECTORY}/<step>), found {there if path.is_dir() else 'a file'}"
    )


def _checkpoint(path: Path, data: Path | str | None) -> Source:
    meta = checkpoint.verify(path)
    experiment = Experiment.from_dict(meta["experiment"])
    vocabulary = experiment.data.tokens.vocabulary
    shapes = checkpoint.leaf_shapes(path, "parameters")
    expected = parameter_leaves(experiment.model, vocabulary)
    problems = [
        f"  {name}: expected {_describe(expected.get(name))}, found {_describe(shapes.get(name))}"
        for name in sorted({*expected, *shapes})
        if _describe(expected.get(name)) != _describe(shapes.get(name))
    ]
    if problems:
        raise checkpoint.CheckpointError(f"checkpoint {path} is of another architecture:\n" + "\n".join(problems[:10]))
    tensors = {tensor.name: tensor for tensor in tensors_of(experiment.model, vocabulary)}

    # The tensors of a stacked leaf follow each other.
    @functools.lru_cache(maxsize=1)
    def leaf(name: str) -> np.ndarray:
        return checkpoint.read_leaf(path, "parameters", name, shapes[name])

    def read(name: str) -> np.ndarray:
        return tensors[name].of(leaf(tensors[name].leaf))

    optimizer = checkpoint.leaf_shapes(path, "optimizer")
    optimizer.pop("step", None)
    directory = experiment.data.directory if data is None else data
    try:
        text_model = str(resolve_text_model(experiment.data.tokens.text_model, directory))
    except FileNotFoundError:
        text_model = ""  # tasks without text need none
    source = Source(
        path,
        experiment,
        meta,
        text_model,
        read,
        optimizer,
        lambda name: checkpoint.read_leaf(path, "optimizer", name, optimizer[name]),
        lambda: checkpoint.load_parameters(path, experiment),
    )
    return _without_bin_features(source) if experiment.model.bin_waves else source


def _without_bin_features(source: Source) -> Source:
    """The same network with its bins' features folded into the table. Its optimizer's state would be of another one."""
    model = dataclasses.replace(source.experiment.model, bin_waves=0)
    start = source.experiment.data.tokens.vocabulary.continuous_start

    def read(name: str) -> np.ndarray:
        if name != TABLE:
            return source.read(name)
        return folded(source.read(TABLE), source.read(BIN_WEIGHTS), start=start)

    experiment = dataclasses.replace(source.experiment, model=model)
    return dataclasses.replace(
        source, experiment=experiment, read=read, optimizer={}, parameters=lambda: assemble(experiment, read)
    )


def _describe(leaf: Any) -> str:
    return "absent" if leaf is None else f"{leaf.dtype}{list(leaf.shape)}"


def open_export(directory: Path) -> Source:
    """An exported directory, ours or a stranger's: all that it claims is compared before memory is taken.

    Raises:
      ExportError: a file is missing, damaged or hostile; or a tensor is missing, unknown, or of another shape or dtype
        than the experiment's architecture has. Every such tensor is named.
    """
    directory = Path(directory)
    config = read_json(directory / EXPORT_CONFIG)
    own = config.get("gato")
    if not isinstance(own, dict):
        raise ExportError(f'{_neither(directory)}; {EXPORT_CONFIG} has no part "gato"')
    if own.get("format") != FORMAT:
        stored_format = own.get("format")
        raise ExportError(f"export {directory}: {EXPORT_CONFIG}: format: expected {FORMAT!r}, found {stored_format!r}")
    slots = find_tensors(directory, STEM)
    try:
        _plausible(own["experiment"], slots)
        experiment = Experiment.from_dict(own["experiment"])
    except (ExportError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExportError(f"export {directory}: {EXPORT_CONFIG}: {error}") from error
    vocabulary = experiment.data.tokens.vocabulary
    expected = {tensor.name: tensor.shape for tensor in tensors_of(experiment.model, vocabulary)}
    check_tensors(directory, expected, slots)
    try:
        check_shape(config, experiment)
        meta = read_record(own, experiment)
    except ExportError as error:
        raise ExportError(f"export {directory}: {EXPORT_CONFIG}: {error}") from error
    optimizer: dict[str, Slot] = {}
    if (directory / f"{OPTIMIZER}.safetensors").exists() or (
        directory / f"{OPTIMIZER}.safetensors.index.json"
    ).exists():
        optimizer = find_tensors(directory, OPTIMIZER)
    digests = read_digests(directory, expected="digests" in own)
    tokenizer = directory / TOKENIZER
    files = digests.files if digests else {}
    if tokenizer.is_symlink() or tokenizer.exists() or TOKENIZER in files:
        check_file(tokenizer, files)
    read = checked(directory, STEM, lambda name: slots[name].read(), digests.tensors if digests else None)
    return Source(
        directory,
        experiment,
        meta,
        str(tokenizer) if tokenizer.is_file() else "",
        read,
        {name: jax.ShapeDtypeStruct(slot.shape, slot.dtype) for name, slot in optimizer.items()},
        checked(directory, OPTIMIZER, lambda name: optimizer[name].read(), digests.optimizer if digests else None),
        lambda: assemble(experiment, read),
    )


def _plausible(experiment: Any, slots: Mapping[str, Slot]) -> None:
    """Refuses a config that claims a far larger network than the files hold, before the network's shapes are built."""
    model = experiment["model"]
    layers, width = model["layers"], model["width"]
    most = len(slots) // LEAVES_PER_LAYER
    if type(layers) is not int or layers > most:
        raise ExportError(f"model.layers: the files hold at most {most} layers, found {json.dumps(layers)[:40]}")
    table = slots.get("embedding.tokens")
    if table is None or len(table.shape) != 2 or table.shape[1] != width:
        table_shape = "no table" if table is None else f"shape {table.shape}"
        raise ExportError(f"model.width {json.dumps(width)[:40]}: embedding.tokens does not fit, found {table_shape}")
