"""Over three windows of recorded episodes, what the cache says is what reading everything anew says."""

import importlib.util
import pathlib

import jax
import numpy as np
import pytest

from data_pipelines.storage.episode_index import read_episodes
from data_pipelines.storage.episodes import read_episode
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import Vocabulary
from gato_jax.agent.fields import concatenate, timestep_fields
from gato_jax.agent.observations import nested
from gato_jax.agent.sampler import ActionSampler
from gato_jax.config import Positions
from gato_jax.model.gato import init_parameters

_file = importlib.util.spec_from_file_location("recomputation", pathlib.Path(__file__).with_name("recomputation.py"))
recomputation = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recomputation)

VOCABULARY = Vocabulary(1024)
TOKENS = TokenConfig(VOCABULARY, pack_discrete=True, text_tokens=20)
DROP, LATE = 2, 5
"""Timesteps that are dropped at once, and steps after which the second row's episode begins."""


def observations(directory, name, count):
    """Recorded observations of a task, episode after episode."""
    task = read_task(directory, name)
    parts = []
    for number in range(len(read_episodes(task, "train").timesteps)):
        parts.append(read_episode(task, "train", number))
        if sum(len(part["action"]) for part in parts) >= count:
            break
    keys = [item.key for item in task.spec.observation]
    joined = {key: np.concatenate([part[key] for part in parts])[:count] for key in keys}
    assert len(joined[keys[0]]) == count
    return task.spec, nested(joined)


def at(tree, step):
    return {key: at(value, step) if isinstance(value, dict) else value[step : step + 1] for key, value in tree.items()}


class Anew:
    """One environment, without a cache: its whole window is read for every token."""

    def __init__(self, parameters, config, layout, window, drop=DROP):
        self.read, self.layout, self.window, self.drop = (parameters, config), layout, window, drop
        self.history = []

    def __call__(self, current, tokens):
        """Scores of the legal ids at each place of the action that consists of these tokens."""
        if len(self.history) == self.window:
            del self.history[: self.drop]
        parameters, config = self.read
        whole = timestep_fields(current, tokens, self.layout)
        fields = concatenate([*self.history, whole])
        end = fields["tokens"].shape[1] - len(self.layout.action_low)
        fields = recomputation.pad(fields, self.window * self.layout.length)
        logits = recomputation.recompute(parameters, fields, config=config, vocabulary=VOCABULARY)
        self.history.append(whole)
        return np.asarray(logits[0, end - 1 : end - 1 + len(self.layout.action_low)])


@pytest.mark.parametrize(
    ("positions", "task", "window"),
    [
        (Positions.TRANSFORMER_XL, "metaworld.drawer_close", 8),  # long enough to be looked at in parts
        (Positions.ROTARY, "babyai.go_to_obj", 6),  # with text, whose unused places are padding
        (Positions.LEARNED, "metaworld.drawer_close", 6),
        (Positions.NONE, "metaworld.drawer_close", 6),
    ],
)
def test_three_windows_equal_recomputation(tiny, recorded_data, positions, task, window):
    steps = 3 * window
    spec, tree = observations(recorded_data, task, steps)
    layout = TimestepLayout.build(spec, TOKENS)
    config = tiny.tiny_model(positions=positions, embedding_scale=0.5, max_length=window * layout.length)
    parameters = init_parameters(config, VOCABULARY, key=jax.random.key(3))
    text = TextTokenizer(str(recorded_data / "tokenizer.model")) if layout.has_text else None
    tokenizer = TimestepTokenizer(layout, text)
    sampler = ActionSampler(config, VOCABULARY, parameters, layout, window=window, drop=DROP)
    sampler.reset([0, 1])
    anew = [Anew(parameters, config, layout, window) for _ in range(2)]
    compared = 0
    for step in range(steps):
        if step == LATE:
            sampler.reset([2], rows=[1])
            anew[1] = Anew(parameters, config, layout, window)
        own = [step, steps - 1 - step]
        fields = [tokenizer.encode_observation(at(tree, place)) for place in own]
        tokens = sampler({name: np.concatenate([one[name] for one in fields]) for name in fields[0]})
        scores = sampler.scores()
        low, high = int(layout.action_low.min()), int(layout.action_high.max())
        for row in range(2):
            expected = anew[row](fields[row], tokens[row : row + 1])[:, low:high]
            legal = np.isfinite(scores[row])
            np.testing.assert_allclose(scores[row][legal], expected[legal], rtol=1e-4, atol=1e-4)
            np.testing.assert_array_equal(tokens[row], np.where(legal, scores[row], -np.inf).argmax(-1) + low)
            compared += legal.sum()
    assert compared >= 2 * steps * 7
    assert len(set(sampler.episodes.length.tolist())) == 2, "the rows move their windows at different steps"


@pytest.mark.parametrize("positions", [Positions.TRANSFORMER_XL, Positions.ROTARY])
def test_the_papers_memory_of_one_layer_equals_recomputation(tiny, recorded_data, positions):
    """Keys and values of a first layer know of no other place, so it makes no difference what was before them."""
    window, steps = 4, 12
    spec, tree = observations(recorded_data, "metaworld.drawer_close", steps)
    layout = TimestepLayout.build(spec, TOKENS)
    config = tiny.tiny_model(positions=positions, embedding_scale=0.5, layers=1)
    parameters = init_parameters(config, VOCABULARY, key=jax.random.key(3))
    tokenizer = TimestepTokenizer(layout)
    sampler = ActionSampler(config, VOCABULARY, parameters, layout, window=window, slides=True)
    sampler.reset([0])
    anew = Anew(parameters, config, layout, window, drop=1)
    low, high = int(layout.action_low.min()), int(layout.action_high.max())
    for step in range(steps):
        fields = tokenizer.encode_observation(at(tree, step))
        tokens = sampler(fields)
        np.testing.assert_allclose(sampler.scores()[0], anew(fields, tokens)[:, low:high], rtol=1e-4, atol=1e-4)
    assert sampler.episodes.length.tolist() == [steps]
