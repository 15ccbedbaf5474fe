"""Acting in dm_env environments from trained weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from data_pipelines.errors import Origin
from data_pipelines.spec import TaskSpec
from data_pipelines.tokenizers import checks
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from gato_jax.agent.sampler import ActionSampler, timestep_fields
from gato_jax.config import AgentConfig
from gato_jax.weights.weights import Weights

Observation = Mapping[str, Any]


class Policy:
    """Observations in, actions out, for one task and any number of environments in lockstep.

    Args:
      weights: the model and how its tokens are made.
      spec: the task.
      agent: how to remember and decide; the weights' own options when None.
      prompt: a recorded demonstration as (observation, executed action) pairs, oldest first. Its first whole timesteps,
        at most `agent.prompt_tokens` tokens and leaving a quarter of the window free, stand before every episode
        (Gato, section 2.5).
    """

    def __init__(
        self,
        weights: Weights,
        spec: TaskSpec,
        *,
        agent: AgentConfig | None = None,
        prompt: Sequence[tuple[Observation, np.ndarray]] = (),
    ):
        self.spec = spec
        self.agent = weights.experiment.agent if agent is None else agent
        self.decode = self.agent.decode_of(spec.domain)
        tokens = weights.experiment.data.tokens
        self.layout = TimestepLayout.build(spec, tokens)
        text = weights.text if self.layout.has_text else None
        self._tokenizer = TimestepTokenizer(self.layout, text)
        self._episodes: list[str] = []
        self._timestep = 0
        window = self._window(weights)
        self._sampler = ActionSampler(
            weights.experiment.model,
            tokens.vocabulary,
            weights.parameters,
            self.layout,
            window=window,
            drop=self.agent.drop_timesteps,
            decode=self.decode,
            temperature=self.agent.temperature,
            prompt=self._prompt(prompt, window),
        )

    @property
    def window(self) -> int:
        """Timesteps in view at most, the current one included."""
        return self._sampler.window

    def _window(self, weights: Weights) -> int:
        groups = weights.experiment.data.mixture.groups
        own = [group for group in groups.values() if self.spec.name in group.tasks]
        # A task that was not trained on (held out) may use the longest window there is.
        longest = max(group.segment_length for group in own or groups.values())
        fits = longest // self.layout.length
        wanted = self.agent.context_timesteps
        if max(wanted, 1) > fits:
            raise ValueError(
                f"task {self.spec.name!r}: agent.context_timesteps = {wanted} needs {max(wanted, 1)} timesteps of "
                f"{self.layout.length} tokens, but the model was trained on windows of {longest} tokens"
            )
        return wanted or fits

    def _prompt(self, prompt: Sequence[tuple[Observation, np.ndarray]], window: int) -> list[dict[str, np.ndarray]]:
        room = min(self.agent.prompt_tokens // self.layout.length, window - max(1, window // 4))
        steps: list[dict[str, np.ndarray]] = []
        for observation, action in prompt[:room]:
            origin = Origin("of the prompt", len(steps))
            fields = self._tokenizer.encode_observation(stack([observation], self.spec, origin), origin=origin)
            ids = self._tokenizer.encode_action(np.asarray(action)[None], origin=origin)
            steps.append(timestep_fields(fields, ids, self.layout))
        return steps

    def reset(self, seeds: Sequence[int] | Int[np.ndarray, " envs"] = (0,)) -> None:
        """Starts new episodes, one environment per seed. The seeds fix what is sampled, row by row."""
        self._episodes, self._timestep = [f"of seed {int(seed)}" for seed in seeds], 0
        self._sampler.reset(np.asarray(seeds, np.uint32))

    def act_tokens(self, observations: Sequence[Observation]) -> Int[np.ndarray, "envs actions"]:
        """Action ids, one row per environment.

        Raises:
          TimestepError: an observation is not what the spec says; names its episode by the seed.
        """
        origin = Origin(self._episodes, self._timestep) if len(observations) == len(self._episodes) else None
        fields = self._tokenizer.encode_observation(stack(observations, self.spec, origin), origin=origin)
        self._timestep += 1
        return self._sampler(fields)

    def decode_actions(self, tokens: Int[np.ndarray, "envs actions"]) -> np.ndarray:
        return self._tokenizer.decode_action(tokens)

    def act(self, observations: Observation | Sequence[Observation]) -> np.ndarray:
        """Actions for observations (nested dicts as in the spec): one for one, a stack for a list of them."""
        if isinstance(observations, Mapping):
            return self.act([observations])[0]
        return self.decode_actions(self.act_tokens(observations))


def stack(observations: Sequence[Observation], spec: TaskSpec, origin: Origin | None = None) -> dict[str, Any]:
    """A list of observations as one with a leading axis, holding the spec's items only.

    Raises:
      TimestepError: an item is missing, or has not the same shape everywhere.
    """
    tree: dict[str, Any] = {}
    for item in spec.observation:
        node = tree
        for part in item.path[:-1]:
            node = node.setdefault(part, {})
        values = []
        for row, observation in enumerate(observations):
            where = origin and Origin(str(origin.at(row)["episode"]), origin.timestep)
            value = np.asarray(checks.find(spec.name, observation, item, origin=where))
            checks.check_item(spec.name, item, value.shape, value.dtype, origin=where)
            values.append(value)
        node[item.path[-1]] = np.asarray(values)
    return tree
