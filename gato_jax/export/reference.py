"""What an export has to reproduce: logits, and greedy actions, of our own model on recorded episodes.

A reference is one npz without pickles. `logits/<i>/<field>` are the model's inputs of some rows, `logits/<i>/expected`
its scores, `logits/<i>/low` and `high` the legal ids of the place behind each one (equal where that is no action) and
`logits/<i>/greedy` the best of them. `acting/<i>/...` is a whole recorded episode: the observations, and the action
tokens with which our policy answers each of them, remembering what its window holds.
"""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipelines.schema import RowGroup
from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.agent.fields import concatenate, timestep_fields
from gato_jax.agent.policy import Policy
from gato_jax.config import Decode, ModelConfig
from gato_jax.export.episodes import choose_tasks, read_episodes
from gato_jax.model.gato import INPUTS, PATCH_INPUTS, bind
from gato_jax.weights.weights import Weights

STEPS = 24
"""Timesteps of a recorded episode that are compared."""

MAX_PLACES = 256
"""Places of a row whose logits are compared."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """Where it is written, and what it compares.

    Attributes:
      path: the npz.
      tasks: recorded tasks in it; empty where no recordings were found, and random rows alone are compared.
      logits: scores in it.
      actions: greedy action tokens in it.
    """

    path: Path
    tasks: tuple[str, ...]
    logits: int
    actions: int


def write_reference(weights: Weights, work: Path) -> Reference:
    """Computes in float32 and writes the reference of some weights."""
    experiment = weights.experiment
    vocabulary = experiment.data.tokens.vocabulary
    mixture, directory = experiment.data.mixture, Path(experiment.data.directory)
    specs = choose_tasks(directory, sorted(mixture.task_names))
    layouts = {name: TimestepLayout.build(spec, experiment.data.tokens) for name, spec in specs.items()}
    if not weights.text_model:
        specs = {name: spec for name, spec in specs.items() if not layouts[name].has_text}
    episodes = read_episodes(directory, list(specs), steps=STEPS, work=work)
    arrays: dict[str, np.ndarray] = {}
    logits = actions = 0
    cases: list[tuple[dict[str, np.ndarray], TimestepLayout | None]] = [(random_rows(weights), None)]
    for name, spec in specs.items():
        cases.append((_recorded_rows(weights, layouts[name], episodes[name]), layouts[name]))
        tokens = _act(weights, spec, episodes[name])
        number = len(cases) - 2
        arrays |= {f"acting/{number}/{key}": value for key, value in episodes[name].items() if key != "action"}
        arrays[f"acting/{number}/expected"] = tokens
        arrays[f"acting/{number}/task"] = np.array(name)
        actions += tokens.size
    for i, (fields, layout) in enumerate(cases):
        inputs = {name: fields[name] for name in (*INPUTS, *PATCH_INPUTS) if name in fields}
        expected = np.asarray(forward(weights.parameters, inputs, config=experiment.model, vocabulary=vocabulary))
        expected = expected[..., : vocabulary.size]
        low, high = legal_ids(fields, layout)
        arrays |= {f"logits/{i}/{name}": value for name, value in inputs.items()}
        arrays |= {f"logits/{i}/expected": expected, f"logits/{i}/low": low, f"logits/{i}/high": high}
        arrays[f"logits/{i}/greedy"] = greedy(expected, low, high)
        logits += expected.size
        actions += int((high > low).sum())
    path = Path(work) / "reference.npz"
    np.savez(path, allow_pickle=False, **arrays)
    return Reference(path, tuple(specs), logits, actions)


@functools.partial(jax.jit, static_argnames=("config", "vocabulary"))
def forward(parameters: Any, fields: Mapping[str, Any], *, config: ModelConfig, vocabulary: Vocabulary) -> jax.Array:
    """Logits at every place of rows of one segment's length."""
    return bind(config, vocabulary, parameters)(fields)


def random_rows(weights: Weights) -> dict[str, np.ndarray]:
    """Rows of all kinds of places: two packed sequences, padding, patches, an unused patch."""
    experiment = weights.experiment
    size = experiment.data.tokens.vocabulary.size
    length = min(64, max(group.window_length for group in experiment.data.mixture.groups.values()))
    half = length // 2
    rng = np.random.default_rng(0)
    batch = RowGroup(tasks=("check",), window_length=length, patches=3).zeros(2)
    shape = batch["tokens"].shape
    batch["tokens"][:] = rng.integers(0, size, shape)
    batch["token_type"][:] = rng.choice([int(t) for t in TokenType if t > TokenType.PATCH], shape)
    batch["token_type"][:, :2] = TokenType.PATCH
    batch["observation_position"][:] = rng.integers(0, experiment.model.local_positions + 1, shape)
    batch["segment_ids"][:] = np.where(np.arange(length) < half, 1, 2)
    batch["positions"][:] = np.arange(length) % half
    batch["token_type"][1, -2:] = batch["segment_ids"][1, -2:] = 0
    batch["positions"][1, -2:] = 0
    batch["patches"][:] = rng.integers(0, 256, batch["patches"].shape)
    batch["patch_slot"][:] = [0, 1, length]
    batch["patch_interval"][:] = [0, 32, 64, 96]
    return {name: batch[name] for name in (*INPUTS, *PATCH_INPUTS)}


def legal_ids(fields: Mapping[str, np.ndarray], layout: TimestepLayout | None) -> tuple[np.ndarray, np.ndarray]:
    """For each place, the ids [low, high) that the action place behind it may take; 0, 0 where there is none."""
    low, high = np.zeros_like(fields["tokens"]), np.zeros_like(fields["tokens"])
    if layout is None:
        return low, high
    places = np.arange(low.shape[1]) % layout.length
    first = layout.separator_place
    for index in range(len(layout.action_low)):
        low[:, places == first + index] = layout.action_low[index]
        high[:, places == first + index] = layout.action_high[index]
    return low, high


def greedy(logits: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The best legal id of each place; -1 where none is legal."""
    ids = np.arange(logits.shape[-1])
    legal = (ids >= low[..., None]) & (ids < high[..., None])
    return np.where(high > low, np.where(legal, logits, -np.inf).argmax(-1), -1)


def _recorded_rows(
    weights: Weights, layout: TimestepLayout, episode: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The beginning of an episode as training shows it: observations and executed actions, one sequence."""
    text = weights.text if layout.has_text else None
    tokenizer = TimestepTokenizer(layout, text)
    longest = max(group.window_length for group in weights.experiment.data.mixture.groups.values())
    count = max(1, min(longest, MAX_PLACES) // layout.length)
    observed = tokenizer.encode_observation(_tree(layout.spec, episode))
    actions = tokenizer.encode_action(episode["action"])
    pieces = []
    for step in range(min(count, len(actions))):
        fields = {name: array[step : step + 1] for name, array in observed.items()}
        pieces.append(timestep_fields(fields, actions[step : step + 1], layout))
    return concatenate(pieces)


def _act(weights: Weights, spec: TaskSpec, episode: Mapping[str, np.ndarray]) -> np.ndarray:
    """Our policy's greedy action tokens [T, actions] along a recorded episode."""
    agent = dataclasses.replace(weights.experiment.agent, decode={}, decode_others=Decode.ARGMAX)
    policy = Policy(weights, spec, agent=agent)
    policy.reset([0])
    tree = _tree(spec, episode)
    tokens = []
    for step in range(len(episode["action"])):
        tokens.append(policy.act_tokens([_at(tree, step)])[0])
    return np.stack(tokens)


def _tree(spec: TaskSpec, episode: Mapping[str, np.ndarray]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for item in spec.observation:
        node = tree
        for part in item.path[:-1]:
            node = node.setdefault(part, {})
        values = episode[item.key]
        node[item.path[-1]] = values.astype(object) if item.kind is Kind.TEXT else values
    return tree


def _at(tree: Mapping[str, Any], step: int) -> dict[str, Any]:
    return {key: _at(value, step) if isinstance(value, Mapping) else value[step] for key, value in tree.items()}
