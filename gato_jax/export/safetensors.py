"""Weights as one safetensors file beside the experiment and the text model.

    model.safetensors   parameters by path ("embedding/tokens", "transformer/blocks/layer_00/attention/query", ...),
                        float32; rows that only pad the token table are left out
    config.json         format, the resolved experiment, step, shapes, versions
    tokenizer.model     SentencePiece, where the experiment has one

The directory appears whole or not at all, after it has been read back and has given the same logits bit for bit. No
pickle anywhere.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import rich.table
import safetensors
import safetensors.numpy

from data_pipelines.schema import RowGroup
from data_pipelines.vocabulary import TokenType
from gato_jax import files
from gato_jax.agent.weights import EXPORT_CONFIG, EXPORT_TENSORS, TOKENIZER, Weights, load_weights
from gato_jax.config import Experiment
from gato_jax.model.gato import abstract_model
from gato_jax.serialize import encode
from gato_jax.training.checkpoint import versions

FORMAT = "gato-jax-safetensors-1"
TABLE = "embedding/tokens"


class ExportError(RuntimeError):
    """An export that is missing a part, damaged, or of another architecture; the message names it."""


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
      out: the directory.
      parameters: number of weights, without padding rows.
      size: bytes of the tensors' file.
      step: training step of the weights.
      verified: number of logits that were compared after reading back; all were bit-equal.
    """

    out: Path
    parameters: int
    size: int
    step: int
    verified: int

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "out": str(self.out)}

    def table(self) -> rich.table.Table:
        table = rich.table.Table.grid(padding=(0, 2))
        table.add_row("export", str(self.out))
        table.add_row("parameters", f"{self.parameters:,} (step {self.step})")
        table.add_row("size", f"{self.size / 1e6:.1f} MB")
        table.add_row("read back", f"{self.verified:,} logits, bit-equal")
        return table


def export_safetensors(run: Path | str, out: Path | str) -> ExportResult:
    """Exports a run's (or checkpoint's) weights to a new directory.

    Raises:
      FileExistsError: `out` is there and not empty.
      FileNotFoundError, CheckpointError: the weights cannot be loaded.
      ExportError: what was read back differs from what was written.
    """
    out = Path(out)
    weights = load_weights(run)
    experiment = weights.experiment
    vocabulary = experiment.data.tokens.vocabulary
    tensors = flatten(weights.parameters)
    tensors[TABLE] = np.ascontiguousarray(tensors[TABLE][: vocabulary.size])
    config = {
        "format": FORMAT,
        "experiment": encode(experiment),
        "step": weights.step,
        "vocabulary": {"size": vocabulary.size, "padded_size": vocabulary.padded_size},
        "tensors": {name: {"shape": list(t.shape), "dtype": str(t.dtype)} for name, t in sorted(tensors.items())},
        "versions": {**versions(), "safetensors": safetensors.__version__},
    }
    with files.atomic_directory(out) as work:
        safetensors.numpy.save_file(tensors, work / EXPORT_TENSORS, metadata={"format": FORMAT})
        files.write_json(work / EXPORT_CONFIG, config)
        if weights.text_model:
            shutil.copyfile(weights.text_model, work / TOKENIZER)
        size = (work / EXPORT_TENSORS).stat().st_size
        verified = _verify(weights, load_export(work))
    return ExportResult(out, sum(t.size for t in tensors.values()), size, weights.step, verified)


def load_export(directory: Path | str) -> Weights:
    """Weights of an export, with the table's padding rows restored: as zeros, since their logits are -inf anyway.

    Raises:
      ExportError: a file is missing or damaged; or a tensor is missing, unknown, or of another shape or dtype than the
        experiment's architecture has. Every such tensor is named.
    """
    directory = Path(directory)
    config = _read_config(directory / EXPORT_CONFIG)
    path = directory / EXPORT_TENSORS
    if not path.is_file():
        raise ExportError(f"export {directory}: expected a file {EXPORT_TENSORS}, found none")
    try:
        experiment = Experiment.from_dict(config["experiment"])
        step = int(config["step"])
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"export {directory}: {EXPORT_CONFIG}: {error}") from error
    try:
        tensors = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ExportError(f"export {directory}: {EXPORT_TENSORS} is damaged: {error}") from error
    vocabulary = experiment.data.tokens.vocabulary
    shapes = flatten(jax.tree.map(lambda leaf: leaf, _abstract(experiment)))
    _check(directory, shapes, tensors, table_rows=vocabulary.size)
    padding = np.zeros((vocabulary.padded_size - vocabulary.size, experiment.model.width), np.float32)
    tensors[TABLE] = np.concatenate([tensors[TABLE], padding])
    tokenizer = directory / TOKENIZER
    parameters = jax.tree.map(jax.numpy.asarray, unflatten(tensors))
    return Weights(experiment, parameters, step, str(tokenizer) if tokenizer.is_file() else "")


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """{"a": {"b": x}} -> {"a/b": x}; leaves that are JAX arrays become NumPy's."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{rest}": leaf for rest, leaf in flatten(value).items()}
        else:
            flat[str(name)] = np.asarray(value) if isinstance(value, jax.Array) else value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[name] = value
    return tree


def _abstract(experiment: Experiment) -> dict[str, Any]:
    """Shapes and dtypes of the architecture's parameters; allocates nothing."""
    from flax import nnx

    return nnx.to_pure_dict(abstract_model(experiment.model, experiment.data.tokens.vocabulary)[1])


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ExportError(f"export {path.parent}: expected a file {path.name}, found none")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise ExportError(f"export {path.parent}: {path.name} is damaged: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise ExportError(f"export {path.parent}: {path.name}: format: expected {FORMAT!r}, found {found!r}")
    return config


def _check(directory: Path, expected: Mapping[str, Any], found: Mapping[str, np.ndarray], *, table_rows: int) -> None:
    problems = []
    for name in sorted({*expected, *found}):
        if name not in found:
            problems.append(f"{name}: missing")
        elif name not in expected:
            problems.append(f"{name}: not a parameter of this architecture")
        else:
            shape = tuple(expected[name].shape)
            shape = (table_rows, *shape[1:]) if name == TABLE else shape
            if found[name].shape != shape:
                problems.append(f"{name}: expected shape {shape}, found {found[name].shape}")
            if found[name].dtype != np.dtype(expected[name].dtype):
                problems.append(f"{name}: expected dtype {expected[name].dtype}, found {found[name].dtype}")
    if problems:
        shown = problems[:10] + ([f"and {len(problems) - 10} more"] if len(problems) > 10 else [])
        raise ExportError(f"export {directory} does not fit its architecture:\n  " + "\n  ".join(shown))


def _verify(original: Weights, restored: Weights) -> int:
    """Compares the logits of all kinds of places. Raises `ExportError` on the first bit that differs."""
    expected, found = (np.asarray(_logits(weights)) for weights in (original, restored))
    size = original.experiment.data.tokens.vocabulary.size
    if not np.array_equal(expected[..., :size], found[..., :size], equal_nan=False):
        worst = np.nanmax(np.abs(expected[..., :size] - found[..., :size]))
        raise ExportError(f"what was read back gives other logits than the checkpoint, by up to {worst}")
    return int(expected[..., :size].size)


def _logits(weights: Weights) -> jax.Array:
    experiment = weights.experiment
    vocabulary = experiment.data.tokens.vocabulary
    length = min(64, max(group.segment_length for group in experiment.data.mixture.groups.values()))
    rng = np.random.default_rng(0)
    group = RowGroup(tasks=("check",), segment_length=length, patches=1)
    batch = group.zeros(2)
    batch["tokens"][:] = rng.integers(0, vocabulary.size, batch["tokens"].shape)
    batch["token_type"][:] = rng.choice([int(t) for t in TokenType if t > TokenType.PATCH], batch["tokens"].shape)
    batch["token_type"][:, 0] = TokenType.PATCH
    batch["observation_position"][:] = rng.integers(0, experiment.model.local_positions + 1, batch["tokens"].shape)
    batch["positions"][:] = np.arange(length)
    batch["segment_ids"][:] = 1
    batch["patches"][:] = rng.integers(0, 256, batch["patches"].shape)
    batch["patch_slot"][:] = 0
    batch["patch_interval"][:] = [0, 32, 64, 96]
    model = weights.model()
    return model.logits(model.hidden(jax.tree.map(jax.numpy.asarray, batch), group=group))
