"""Acting in dm_env environments from trained weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from data_pipelines.errors import Failures, Origin
from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.timestep import TimestepTokenizer, stack
from gato_jax.agent.sampler import ActionSampler, timestep_fields
from gato_jax.config import AgentConfig
from gato_jax.weights.weights import Weights

Observation = Mapping[str, Any]
Demonstration = Sequence[tuple[Observation, np.ndarray]]
"""(observation, executed action) pairs, oldest first."""


class Policy:
    """Observations in, actions out, for one task and any number of environments in lockstep.

    Args:
      weights: the model and how its tokens are made.
      spec: the task.
      agent: how to remember and decide; the weights' own options when None.
      prompt: a recorded demonstration as (observation, executed action) pairs, oldest first. Its first
        `prompt_timesteps` stand before every episode (Gato, section 2.5) that `reset` gives no other.

    Examples:
      >>> import pathlib
      >>> import numpy as np
      >>> import gato_jax
      >>> from data_pipelines import TaskSpec
      >>> spec = TaskSpec.from_json(pathlib.Path("data/metaworld.drawer_close/spec.json").read_text())
      >>> policy = gato_jax.Policy(gato_jax.load_weights("run", data="data"), spec)
      >>> policy.reset([0])
      >>> policy.act({item.key: np.zeros(item.shape, item.dtype) for item in spec.observation}).shape
      (4,)
    """

    def __init__(
        self,
        weights: Weights,
        spec: TaskSpec,
        *,
        agent: AgentConfig | None = None,
        prompt: Demonstration = (),
    ):
        self.spec = spec
        self.agent = weights.experiment.agent if agent is None else agent
        self.decode = self.agent.decode_of(spec.domain, ordered=spec.action.kind is Kind.CONTINUOUS)
        tokens = weights.experiment.data.tokens
        self.layout = TimestepLayout.build(spec, tokens)
        text = weights.text if self.layout.has_text else None
        self._tokenizer = TimestepTokenizer(self.layout, text)
        self._episodes: list[str] = []
        self._timestep = 0
        self.failures = Failures(0)
        window = self._window(weights)
        self.prompt_timesteps = self._prompt_timesteps(weights, window)
        self._sampler = ActionSampler(
            weights.experiment.model,
            tokens.vocabulary,
            weights.parameters,
            self.layout,
            window=window,
            drop=self.agent.drop_timesteps,
            decode=self.decode,
            temperature=self.agent.temperature,
            prompt=self._prompt([prompt]),
        )

    @property
    def manner(self) -> str:
        """How actions are chosen: "argmax" or "sample"."""
        return self.decode.value

    @property
    def notes(self) -> dict[str, Any]:
        """What is worth knowing of its episodes: nothing."""
        return {}

    @property
    def window(self) -> int:
        """Timesteps in view at most, the current one included."""
        return self._sampler.window

    def _window(self, weights: Weights) -> int:
        groups = weights.experiment.data.mixture.groups
        own = [group for group in groups.values() if self.spec.name in group.tasks]
        # A task that was not trained on (held out) may use the longest window there is.
        longest = max(group.window_length for group in own or groups.values())
        fits = longest // self.layout.length
        context = self.agent.context_timesteps
        if max(context, 1) > fits:
            raise ValueError(
                f"task {self.spec.name!r}: agent.context_timesteps = {context} needs {max(context, 1)} timesteps of "
                f"{self.layout.length} tokens, but the model was trained on windows of {longest} tokens"
            )
        return context or fits

    def _prompt_timesteps(self, weights: Weights, window: int) -> int:
        """As in training: `stream.prompt_timesteps`, and at most half of the window; so none in a window of one."""
        prompt_timesteps = weights.experiment.data.stream.prompt_timesteps or window // 2
        return min(prompt_timesteps, window // 2, self.agent.prompt_tokens // self.layout.length)

    def _prompt(self, demonstrations: Sequence[Demonstration]) -> list[dict[str, np.ndarray]]:
        """Fields of the first timesteps of one demonstration for each environment."""
        steps: list[dict[str, np.ndarray]] = []
        for place in range(min([self.prompt_timesteps, *map(len, demonstrations)])):
            origin = Origin([f"of prompt {row}" for row in range(len(demonstrations))], place)
            observations, actions = zip(*(one[place] for one in demonstrations), strict=True)
            fields = self._tokenizer.encode_observation(stack(observations, self.spec, origin), origin=origin)
            ids = self._tokenizer.encode_action(np.stack(actions), origin=origin)
            steps.append(timestep_fields(fields, ids, self.layout))
        return steps

    def reset(
        self,
        seeds: Sequence[int] | Int[np.ndarray, " envs"] = (0,),
        *,
        prompts: Sequence[Demonstration] | None = None,
    ) -> None:
        """Starts new episodes, one environment per seed. The seeds fix what is sampled, row by row.

        Args:
          seeds: of the environments.
          prompts: a demonstration for each, of `prompt_timesteps` or more; of all, the shortest says how many
            timesteps are shown. None = the policy's own prompt.

        Raises:
          ValueError: not one demonstration for each seed.
          TimestepError: a demonstration is not what the spec says.
        """
        if prompts is not None and len(prompts) != len(seeds):
            raise ValueError(f"expected one prompt for each of {len(seeds)} seeds, found {len(prompts)}")
        self._episodes, self._timestep = [f"of seed {int(seed)}" for seed in seeds], 0
        self.failures = Failures(len(seeds))
        self._sampler.reset(np.asarray(seeds, np.uint32), None if prompts is None else self._prompt(prompts))

    def act_tokens(self, observations: Sequence[Observation]) -> Int[np.ndarray, "envs actions"]:
        """Action ids, one row per environment; -1 where an environment has failed.

        An environment fails when its observation is not what the spec says, or when the model's logits are not finite.
        It is named in `failures` and stays there until `reset`; the others go on.

        Raises:
          TimestepError: no environment is left, so always when there is only one; names its episode by the seed.
        """
        if len(observations) != self.failures.rows:
            raise ValueError(f"expected {self.failures.rows} observations, one per seed, found {len(observations)}")
        origin = Origin(self._episodes, self._timestep)
        self._timestep += 1
        fields = self._tokenizer.encode_environments(observations, failures=self.failures, origin=origin)
        tokens = self._sampler(fields)
        for row in np.flatnonzero((tokens < 0).any(axis=1)):
            self.failures.setdefault(int(row), self._tokenizer.no_action(int(row), origin))
        self.failures.check()
        tokens[list(self.failures)] = -1
        return tokens

    def decode_actions(self, tokens: Int[np.ndarray, "envs actions"]) -> np.ndarray:
        """What the ids of `act_tokens` stand for; NaN, or -1 for integers, where an environment has failed."""
        return self._tokenizer.decode_environments(tokens, self.failures)

    def act(self, observations: Observation | Sequence[Observation]) -> np.ndarray:
        """Actions for observations (nested dicts as in the spec): one for one, a stack for a list of them.

        Raises:
          TimestepError: as `act_tokens`.
        """
        if isinstance(observations, Mapping):
            return self.act([observations])[0]
        return self.decode_actions(self.act_tokens(observations))
