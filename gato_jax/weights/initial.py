"""Weights for another run to begin with: `gato train EXPERIMENT --init-from RUN|EXPORT`.

The network must be the same but for the rows of its tables. Each row stands for something (a piece of a text model, a
discrete value, a bin of a continuous one, the separator, a place); it is read where the weights have a row for the same
thing, and else begins anew. The optimizer, the step and the data begin anew always.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from data_pipelines.tokenizers.layout import ActionPositions, TokenConfig
from data_pipelines.tokenizers.text import resolve_text_model
from data_pipelines.vocabulary import BINS
from data_pipelines.words import counted
from gato_jax.config import Experiment, ModelConfig
from gato_jax.model.bins import feature_count
from gato_jax.weights.digests import digest_of, file_digest
from gato_jax.weights.source import Source, is_export, open_source
from gato_jax.weights.tensor_names import BIN_WEIGHTS, TABLE, Tensor, flatten, tensors_of, unflatten

MAY_DIFFER = frozenset(
    (
        "max_length",
        "local_positions",
        "stochastic_depth",
        "dropout",
        "embedding_scale",
        "bin_waves",
        "scan_layers",
        "remat",
    )
)
"""Settings of the network that change none of its parameters but the number of a table's rows."""

LOCAL, POSITIONS = "embedding.local", "embedding.positions"


class Meaning(NamedTuple):
    """What a row of a table stands for: the n-th of a kind, under what defines the kind, such as a text model."""

    kind: str
    defined_by: str
    number: int


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of a table that follow each other.

    Attributes:
      parameter: path of the table.
      first, last: the rows, both included.
      kind: what they stand for.
      why: why they begin anew, or are not used.
    """

    parameter: str
    first: int
    last: int
    kind: str
    why: str

    def __str__(self) -> str:
        rows = f"row {self.first}" if self.first == self.last else f"rows {self.first} to {self.last}"
        return f"{self.parameter}, {rows} ({self.kind}): {self.why}"


@dataclasses.dataclass(frozen=True, eq=False)
class InitialWeights:
    """Weights that fit a run which is about to begin.

    Attributes:
      source: where they are.
      tensors: those of the run's network.
      rows: of each table whose rows are matched: the row to read, for each of the run's; -1 = none.
      new: what begins anew.
      unused: what is there, and has no place in the run.
    """

    source: Source
    tensors: Sequence[Tensor]
    rows: Mapping[str, np.ndarray]
    new: tuple[Rows, ...]
    unused: tuple[Rows, ...]

    def lines(self) -> list[str]:
        """What is read, what begins anew, and what is not used, for a person."""
        step = int(self.source.meta["step"])
        return [
            f"begins with the weights of {self.source.path}, step {step:,} ({self.source.experiment.name}): "
            f"{counted(len(self.tensors), 'parameter')} read; optimizer, step and data begin anew",
            *(f"  begins anew: {rows}" for rows in self.new),
            *(f"  not used: {rows}" for rows in self.unused),
        ]

    def record(self) -> dict[str, Any]:
        """The same for a file."""
        return {
            "source": str(self.source.path.absolute()),
            "step": int(self.source.meta["step"]),
            "name": self.source.experiment.name,
            "read": [tensor.name for tensor in self.tensors],
            "new": [dataclasses.asdict(rows) for rows in self.new],
            "unused": [dataclasses.asdict(rows) for rows in self.unused],
        }

    def place(self, fresh: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Reads all weights into freshly made parameters, tensor by tensor, laid out as those are.

        Returns:
          The parameters, and the SHA-256 of all weights that were read.

        Raises:
          CheckpointError, ExportError: a tensor is damaged.
        """
        leaves, digests = flatten(fresh), {}
        for leaf, tensors in itertools.groupby(self.tensors, key=lambda tensor: tensor.leaf):
            whole, known_rows = np.zeros(leaves[leaf].shape, np.float32), np.ones(leaves[leaf].shape[0], bool)
            for tensor in tensors:
                values = np.asarray(self.source.read(tensor.name), np.float32)
                digests[tensor.name] = digest_of(values)
                if tensor.name in self.rows:
                    rows = self.rows[tensor.name]
                    known_rows[...] = False
                    known_rows[: len(rows)] = rows >= 0
                    whole[known_rows] = values[rows[rows >= 0]]
                else:
                    tensor.of(whole)[...] = values
            leaves[leaf] = _overlay(leaves[leaf], whole, known_rows)
        text = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
        return unflatten(leaves), hashlib.sha256(text.encode()).hexdigest()


def open_initial_weights(experiment: Experiment) -> InitialWeights:
    """The weights of `train.init_from`, compared with the experiment and with their digests; keeps none of them yet.

    Raises:
      ValueError: of another network; names the settings that differ.
      FileNotFoundError, CheckpointError, ExportError: nothing to read there, or damaged.
    """
    assert experiment.train.init_from is not None
    source = open_source(experiment.train.init_from)
    _check_architecture(source, experiment)
    every_tensor = tensors_of(experiment.model, experiment.data.tokens.vocabulary)
    tensors = [tensor for tensor in every_tensor if tensor.name != BIN_WEIGHTS]
    here, there = _tables(experiment), _tables(source.experiment, text_model=source.text_model)
    rows, new, unused = {}, [], []
    if experiment.model.bin_waves:
        last = feature_count(experiment.model.bin_waves) - 1
        new.append(Rows(BIN_WEIGHTS.replace(".", "/"), 0, last, "features of bins", "zeros, which change nothing yet"))
    for name, meanings in here.items():
        rows[name] = _match(meanings, there[name])
        used = set(rows[name].tolist())
        new += _runs(name, meanings, there[name], lambda row, rows=rows[name]: rows[row] < 0)  # type: ignore[misc]
        unused += _runs(name, there[name], meanings, lambda row, used=used: row not in used)  # type: ignore[misc]
    if is_export(source.path):  # Its tensors are compared as they are read: here, before the step is compiled.
        for tensor in tensors_of(source.experiment.model, source.experiment.data.tokens.vocabulary):
            source.read(tensor.name)
    return InitialWeights(source, tensors, rows, tuple(new), tuple(unused))


def _check_architecture(source: Source, experiment: Experiment) -> None:
    problems = [
        f"  model.{field.name}: expected {_shown(there)} as there, found {_shown(here)}"
        for field in dataclasses.fields(ModelConfig)
        if field.name not in MAY_DIFFER
        and (there := getattr(source.experiment.model, field.name)) != (here := getattr(experiment.model, field.name))
    ]
    if problems:
        text = "\n".join(problems)
        raise ValueError(f"train.init_from: {source.path} holds the weights of another network:\n{text}")


def _shown(value: Any) -> str:
    return repr(getattr(value, "value", value))


def _tables(experiment: Experiment, *, text_model: str | None = None) -> dict[str, list[list[Meaning]]]:
    """What each row of each table stands for, by the table's name; `text_model` = path, "" for none."""
    model, tokens = experiment.model, experiment.data.tokens
    if text_model is None:
        try:
            text_model = str(resolve_text_model(tokens.text_model, experiment.data.directory))
        except FileNotFoundError:
            text_model = ""  # Tasks without text need none.
    tables = {
        TABLE: _token_meanings(tokens, file_digest(Path(text_model)) if text_model else "none"),
        LOCAL: [[Meaning("local positions", "", row)] for row in range(model.local_positions)],
    }
    if tokens.action_positions is ActionPositions.SAME:
        tables[LOCAL][tokens.max_observation_tokens] = [Meaning("position of actions", "", 0)]
    names = {tensor.name: tensor.shape for tensor in tensors_of(model, tokens.vocabulary)}
    if POSITIONS in names:
        tables[POSITIONS] = [[Meaning("positions", "", row)] for row in range(names[POSITIONS][0])]
    return tables


def _token_meanings(tokens: TokenConfig, text_model: str) -> list[list[Meaning]]:
    vocabulary = tokens.vocabulary
    meanings: list[list[Meaning]] = [[] for _ in range(vocabulary.size)]
    for piece in range(vocabulary.text_size):
        meanings[piece].append(Meaning("text", text_model, piece))
    for number in range(BINS):
        meanings[vocabulary.discrete_start + number].append(Meaning("discrete values", "", number))
        meanings[vocabulary.continuous_start + number].append(
            Meaning("continuous bins", tokens.companding.value, number)
        )
    meanings[vocabulary.separator].append(Meaning("separator", "", 0))
    return meanings


def _match(here: Sequence[Sequence[Meaning]], there: Sequence[Sequence[Meaning]]) -> np.ndarray:
    """For each row here, the row there that stands for the same; -1 where there is none.

    A row that text and a discrete value share is the same where one of both is.
    """
    places = {meaning: row for row, meanings in enumerate(there) for meaning in meanings}
    return np.asarray([next((places[one] for one in row if one in places), -1) for row in here], np.int64)


def _runs(
    name: str,
    table: Sequence[Sequence[Meaning]],
    other: Sequence[Sequence[Meaning]],
    chosen: Callable[[int], bool],
) -> list[Rows]:
    """The chosen rows of a table, those of one kind that follow each other together, and why `other` lacks them."""
    kinds = {one.kind: one.defined_by for meanings in other for one in meanings}

    def label(row: int) -> tuple[str, str]:
        first = table[row][0]
        if kinds.get(first.kind, first.defined_by) == first.defined_by:
            return first.kind, "absent on the other side"
        return first.kind, f"other {'text model' if first.kind == 'text' else 'companding'} on the other side"

    rows = [row for row in range(len(table)) if chosen(row)]
    runs = itertools.groupby(enumerate(rows), key=lambda pair: (pair[1] - pair[0], label(pair[1])))
    row_runs = []
    for (_, (kind, why)), members in runs:
        numbers = [row for _, row in members]
        row_runs.append(Rows(name.replace(".", "/"), numbers[0], numbers[-1], kind, why))
    return row_runs


def _overlay(leaf: jax.Array, whole: np.ndarray, known_rows: np.ndarray) -> jax.Array:
    """`whole` in the known rows, the leaf's own values in the others; each device gets its part only."""
    parts = []
    for shard in leaf.addressable_shards:
        read, rows = whole[shard.index], known_rows[shard.index[0]]
        if not rows.all():
            read = np.where(rows.reshape(-1, *[1] * (read.ndim - 1)), read, np.asarray(shard.data))
        parts.append(jax.device_put(read.astype(leaf.dtype), shard.device))
    return jax.make_array_from_single_device_arrays(leaf.shape, leaf.sharding, parts)
