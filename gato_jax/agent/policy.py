"""Acting in N environments of one task: observations become tokens, tokens become actions, and what fails is marked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from data_pipelines.errors import Failures, Origin, TimestepError
from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.timestep import TimestepTokenizer, stack
from gato_jax.agent.fields import Fields, timestep_fields
from gato_jax.agent.observations import is_batch, lengths_of, nested, rows_of
from gato_jax.agent.sampler import ActionSampler
from gato_jax.config import AgentConfig, Experiment, FullWindow
from gato_jax.weights.weights import Weights

Observation = Mapping[str, Any]
Demonstration = Sequence[tuple[Observation, np.ndarray]]
"""(observation, executed action) pairs, oldest first."""


def window_of(experiment: Experiment, layout: TimestepLayout, agent: AgentConfig) -> int:
    """Timesteps in view at most, the current one included.

    Raises:
      ValueError: the window that the model was trained on has no room for what the agent asks for.
    """
    groups, name = experiment.data.mixture.groups, layout.spec.name
    own = [group for group in groups.values() if name in group.tasks]
    # A task that was not trained on (held out) may use the longest window there is.
    longest = max(group.window_length for group in own or groups.values())
    fits = longest // layout.length
    context = agent.context_timesteps
    if max(context, 1) > fits:
        raise ValueError(
            f"task {name!r}: agent.context_timesteps = {context} needs {max(context, 1)} timesteps of "
            f"{layout.length} tokens, but the model was trained on windows of {longest} tokens"
        )
    return context or fits


def prompt_timesteps_of(experiment: Experiment, layout: TimestepLayout, agent: AgentConfig, window: int) -> int:
    """As in training: `stream.prompt_timesteps`, and at most half of the window; so none in a window of one."""
    prompt_timesteps = experiment.data.stream.prompt_timesteps or window // 2
    return min(prompt_timesteps, window // 2, agent.prompt_tokens // layout.length)


class Policy:
    """Observations in, actions out, for one task and any number of environments.

    Args:
      weights: the model and how its tokens are made.
      spec: the task.
      agent: how to remember and decide; the weights' own options when None.
      prompt: a recorded demonstration as (observation, executed action) pairs, oldest first. Its first
        `prompt_timesteps` stand before every episode (Gato, section 2.5) that `reset` gives no other.
      warm_up: compile all that the task's episodes need when they begin, so that no step has to.

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
        warm_up: bool = False,
    ):
        self.spec = spec
        self.agent = weights.experiment.agent if agent is None else agent
        self.decode = self.agent.decode_of(spec.domain, ordered=spec.action.kind is Kind.CONTINUOUS)
        tokens = weights.experiment.data.tokens
        self.layout = TimestepLayout.build(spec, tokens)
        text = weights.text if self.layout.has_text else None
        self._tokenizer = TimestepTokenizer(self.layout, text)
        self._episodes: list[str] = []
        self._last = np.zeros((0, len(self.layout.action_low)), np.int32)
        self.failures = Failures(0)
        window = window_of(weights.experiment, self.layout, self.agent)
        self.prompt_timesteps = prompt_timesteps_of(weights.experiment, self.layout, self.agent, window)
        self._sampler = ActionSampler(
            weights.experiment.model,
            tokens.vocabulary,
            weights.parameters,
            self.layout,
            window=window,
            drop=self.agent.drop_timesteps,
            decode=self.decode,
            sampling=self.agent.sampling_of(spec.domain),
            prompt=self._prompt(prompt, "the policy's own"),
            longest_prompt=self.prompt_timesteps,
            slides=window > 1 and self.agent.full_window is FullWindow.XL_MEMORY,
            longest_episode=spec.max_episode_steps if warm_up else None,
        )

    @property
    def manner(self) -> str:
        """How actions are chosen: "argmax", "sample" or "mean"."""
        return self.decode.value

    @property
    def notes(self) -> dict[str, Any]:
        """What is worth knowing of its episodes: nothing."""
        return {}

    @property
    def rows(self) -> int:
        """Environments, as many as `reset` was given seeds."""
        return self._sampler.rows

    @property
    def window(self) -> int:
        """Timesteps in view at most, the current one included."""
        return self._sampler.window

    @property
    def remembered(self) -> Int[np.ndarray, " envs"]:
        """Timesteps that each environment has in view before its next observation, a prompt included."""
        return np.minimum(self._sampler.episodes.length, self.window)

    def _prompt(self, demonstration: Demonstration, name: str) -> list[Fields]:
        """Fields of the first timesteps of a demonstration, all made at once."""
        shown = demonstration[: self.prompt_timesteps]
        if not shown:
            return []
        origin = Origin(f"of prompt {name}", range(len(shown)))
        observations, actions = zip(*shown, strict=True)
        whole_observations = stack([nested(one) for one in observations], self.spec, origin)
        fields = self._tokenizer.encode_observation(whole_observations, origin=origin)
        ids = self._tokenizer.encode_action(np.stack(actions), origin=origin)
        whole = timestep_fields(fields, ids, self.layout)
        return [{key: array[place : place + 1] for key, array in whole.items()} for place in range(len(shown))]

    def reset(
        self,
        seeds: Sequence[int] | Int[np.ndarray, " envs"] = (0,),
        *,
        prompts: Sequence[Demonstration] | None = None,
        rows: Sequence[int] | None = None,
    ) -> None:
        """Starts new episodes: one environment per seed, or those of some rows while the others go on.

        Args:
          seeds: of the episodes. What an episode draws depends on its seed alone, and on no row and no neighbour.
          prompts: a demonstration for each, of which the first `prompt_timesteps` are shown; an empty one = no prompt.
            None = the policy's own prompt.
          rows: environments whose episodes begin anew, one per seed; None = all.

        Raises:
          ValueError: not one demonstration or row for each seed, or rows that there are not.
          TimestepError: a demonstration is not what the spec says.
        """
        if prompts is not None and len(prompts) != len(seeds):
            raise ValueError(f"expected one prompt for each of {len(seeds)} seeds, found {len(prompts)}")
        shown = None if prompts is None else [self._prompt(one, str(row)) for row, one in enumerate(prompts)]
        self._sampler.reset(np.asarray(seeds, np.uint32), shown, rows=rows)
        names = [f"of seed {int(seed)}" for seed in seeds]
        if rows is None:
            self._episodes, self.failures = names, Failures(len(seeds))
            return
        for row, name in zip(rows, names, strict=True):
            self._episodes[row] = name
            self.failures.pop(int(row), None)

    def act_tokens(self, observations: Observation | Sequence[Observation]) -> Int[np.ndarray, "envs actions"]:
        """Action ids, one row per environment; -1 where an environment has failed.

        An environment fails when its observation is not what the spec says, or when the model's logits are not finite.
        It is named in `failures` and stays there until its `reset`; the others go on.

        Args:
          observations: one of each environment, or one whose arrays have a leading axis of environments.

        Raises:
          TimestepError: no environment is left, so always when there is only one; names its episode by the seed.
        """
        origin = Origin(self._episodes, self._sampler.episodes.step.tolist())
        fields = self._fields(observations, origin)
        tokens = self._sampler(fields)
        for row in np.flatnonzero((tokens < 0).any(axis=1)):
            self.failures.setdefault(int(row), self._tokenizer.no_action(int(row), origin))
        self.failures.check()
        tokens[list(self.failures)] = -1
        self._last = tokens
        return tokens

    def tokens(self) -> Int[np.ndarray, "envs actions"]:
        """What the last `act_tokens`, or `act`, chose."""
        return self._last

    def _fields(self, observations: Observation | Sequence[Observation], origin: Origin) -> Fields:
        """Tokens of a batch; of each environment by itself where some have failed or do."""
        rows: Sequence[Observation]
        if isinstance(observations, Mapping):
            batch = nested(observations)
            if not self.failures and lengths_of(batch, self.spec) == {self.failures.rows}:
                try:
                    return self._tokenizer.encode_observation(batch, origin=origin)
                except TimestepError:
                    pass  # Which environment it is comes out below.
            rows = rows_of(batch, self.spec, self.failures.rows)
        else:
            rows = observations
        if len(rows) != self.failures.rows:
            raise ValueError(f"expected {self.failures.rows} observations, one per seed, found {len(rows)}")
        return self._tokenizer.encode_environments(rows, failures=self.failures, origin=origin)

    def decode_actions(self, tokens: Int[np.ndarray, "envs actions"]) -> np.ndarray:
        """What the ids of `act_tokens` stand for; NaN, or -1 for integers, where an environment has failed."""
        return self._tokenizer.decode_environments(tokens, self.failures)

    def act(self, observations: Observation | Sequence[Observation]) -> np.ndarray:
        """Actions in the task's own dtype.

        Args:
          observations: nested dicts as in the spec: one, of one environment; a list of them, one for each; or one whose
            arrays have a leading axis of environments.

        Returns:
          One action for one observation, else one row for each environment.

        Raises:
          TimestepError: as `act_tokens`.
        """
        if isinstance(observations, Mapping) and not is_batch(observations, self.spec):
            return self.act([observations])[0]
        return self.decode_actions(self.act_tokens(observations))

    def scores(self) -> np.ndarray:
        """As `ActionSampler.scores`, of the last step."""
        return self._sampler.scores()
