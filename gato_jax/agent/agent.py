"""The agent: one set of weights that acts, writes, captions and answers. Imports no TensorFlow."""

import dataclasses
import difflib
import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Float32, Int, UInt8

from data_pipelines.spec import TaskSpec
from data_pipelines.storage.recorded_tasks import DataError, read_spec, recorded_tasks
from gato_jax.agent import demonstrations
from gato_jax.agent.demonstrations import DIRECTORY, Demonstrations
from gato_jax.agent.generate import Generator
from gato_jax.agent.policy import Demonstration, Observation, Policy
from gato_jax.config import AgentConfig
from gato_jax.weights.digests import check_part, read_digests
from gato_jax.weights.load import load_weights
from gato_jax.weights.source import is_export
from gato_jax.weights.weights import Weights


class Prompt(enum.Enum):
    """What stands before an episode.

    Example:
      >>> import gato_jax
      >>> gato_jax.Prompt("goal")
      <Prompt.GOAL: 'goal'>
    """

    AUTO = "auto"
    """A demonstration where the weights were trained with prompts and some are there, else nothing."""
    DEMONSTRATION = "demonstration"
    """The first timesteps of a recorded episode, drawn by the episode's seed."""
    GOAL = "goal"
    """The last timesteps of one, which show what is to be reached."""
    NONE = "none"


@dataclasses.dataclass(frozen=True)
class Details:
    """How actions were chosen.

    Args:
      actions: [N, ...] as `act` returns them.
      ids: tokens of the actions, in the model's vocabulary; -1 where an environment has failed.
      low, high: legal ids [low, high) of each place of the action.
      log_probabilities: of every legal id at each place, before temperature, top-k and top-p; [N, places, ids]. The
        first id is the lowest legal one of any place; -inf where an id is not legal.
    """

    actions: np.ndarray
    ids: Int[np.ndarray, "envs places"]
    low: Int[np.ndarray, " places"]
    high: Int[np.ndarray, " places"]
    log_probabilities: Float32[np.ndarray, "envs places ids"]

    @property
    def chosen(self) -> Float32[np.ndarray, "envs places"]:
        """Log-probability of each token that was chosen; NaN where an environment has failed."""
        index = np.maximum(self.ids - self.low.min(), 0)[..., None]
        taken = np.take_along_axis(self.log_probabilities, index, axis=-1)[..., 0]
        return np.where(self.ids < 0, np.float32(np.nan), taken)


class Agent:
    """Acts in any number of environments of a task at a time, and speaks.

    Environments are independent: each has its own episode, length, prompt and randomness, and is reset in place while
    the others go on. All that acting needs is compiled by `reset`, and no step compiles anything.

    Args:
      weights: the model and how its tokens are made.
      options: how to remember and decide; the weights' own when None.
      data: data directory of specs and demonstrations; the experiment's own when None.
      shown: directory of demonstrations beside exported weights.

    Attributes:
      unprompted: why the last `reset` gave no prompts; "" where it did.

    Example:
      >>> import gato_jax
      >>> import numpy as np
      >>> agent = gato_jax.Agent.load("run", data="data")
      >>> spec = agent.reset("metaworld.drawer_close", seeds=[0, 1])
      >>> agent.act({item.key: np.zeros((2, *item.shape), item.dtype) for item in spec.observation}).shape
      (2, 4)
      >>> _ = agent.reset(seeds=[2], rows=[1])  # The second environment begins anew, the first goes on.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        options: AgentConfig | None = None,
        data: Path | str | None = None,
        shown: Path | None = None,
    ):
        self.weights = weights
        self.options = weights.experiment.agent if options is None else options
        self._data = Path(weights.experiment.data.directory if data is None else data)
        self._shown = shown
        self._policies: dict[str, Policy] = {}
        self._demonstrations: dict[tuple[str, int], Demonstrations] = {}
        self._policy: Policy | None = None
        self._generator: Generator | None = None
        self._prompts: list[str] = []
        self.unprompted = ""

    @classmethod
    def load(cls, path: Path | str, *, data: Path | str | None = None, options: AgentConfig | None = None) -> "Agent":
        """The agent of a run (its latest checkpoint), of one checkpoint, or of an export.

        Args:
          path: their directory.
          data: data directory; the run's own when None. An export brings what it needs of it.
          options: how to remember and decide; the run's own when None.

        Raises:
          FileNotFoundError: `path` does not exist.
          CheckpointError, ExportError: nothing to load there, damaged, or of another architecture.
        """
        shown = Path(path) / DIRECTORY
        beside = shown if is_export(Path(path)) and shown.is_dir() else None
        return cls(load_weights(path, data=data), options=options, data=data, shown=beside)

    def sibling(self) -> "Agent":
        """Another agent of the same weights, with episodes of its own. What one has compiled serves both."""
        return Agent(self.weights, options=self.options, data=self._data, shown=self._shown)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks whose specs are at hand."""
        names = set() if self._shown is None else {path.stem for path in self._shown.glob("*.npz")}
        if self._data.is_dir():
            names |= {name for name in recorded_tasks(self._data) if read_spec(self._data, name) is not None}
        return sorted(names)

    @property
    def spec(self) -> TaskSpec:
        """The current task. Raises `ValueError` before the first `reset`."""
        return self._acting().spec

    @property
    def prompts(self) -> Sequence[str]:
        """For each environment, the episode that its prompt is from; "" = no prompt, or one that was given."""
        return tuple(self._prompts)

    @property
    def failures(self) -> Mapping[int, Exception]:
        """Environments that cannot be acted in any more, by row, and why. A `reset` of the row brings it back."""
        return self._acting().failures

    def reset(
        self,
        task: str | TaskSpec | None = None,
        *,
        seeds: Sequence[int] = (0,),
        prompts: str | Prompt | Sequence[Demonstration] = Prompt.AUTO,
        rows: Sequence[int] | None = None,
    ) -> TaskSpec:
        """Starts new episodes: one environment for each seed, or those of some rows while the others go on.

        Args:
          task: name of a recorded task, or the spec of any; None = the current one.
          seeds: of the episodes. What an episode draws follows from its seed alone.
          prompts: "auto", "demonstration", "goal" or "none" (`Prompt`); or a demonstration for each seed, as
            (observation, executed action) pairs, oldest first, of which the first ones are shown.
          rows: environments whose episodes begin anew, one per seed; None = all.

        Returns:
          The task's spec.

        Raises:
          ValueError: no such task, with the nearest names; no task yet; or not one demonstration or row for each seed.
          DataError: demonstrations are asked for that are not there, or the window has no room for them.
        """
        policy = self._acting() if task is None else self._policy_of(task)
        if rows is not None and policy is not self._policy:
            raise ValueError(f"rows are of the current task, found task {policy.spec.name!r}; leave out rows or task")
        names = [""] * len(seeds)
        given: Sequence[Demonstration] | None
        if isinstance(prompts, (str, Prompt)):
            drawn = self._drawn(policy, Prompt(prompts), seeds)
            given = [demonstration for _, demonstration in drawn]
            names = [name for name, _ in drawn]
        else:
            given = prompts
        policy.reset(seeds, prompts=given, rows=rows)
        self._policy = policy
        if rows is None:
            self._prompts = names
        else:
            for row, name in zip(rows, names, strict=True):
                self._prompts[row] = name
        return policy.spec

    def act(self, observation: Observation | np.ndarray | Sequence[Observation], *, details: bool = False) -> Any:
        """Actions of all environments, in the task's own shape and dtype.

        Args:
          observation: {key: [N, ...]}, nested or with keys such as "walker/joints", as vector environments give it; the
            array alone where the task has one; or, of one environment, without the axis of N.
          details: also tokens, legal ids and log-probabilities.

        Returns:
          [N, ...], or one action where one observation came without the axis of N; `Details` with `details`. Rows of
          `failures` are NaN, or -1 for integers.

        Raises:
          TimestepError: no environment is left to act in; names its episode by the seed.
          ValueError: before the first `reset`, or not one observation for each environment.
        """
        policy = self._acting()
        if isinstance(observation, np.ndarray):
            (item,) = self._single(policy.spec)
            observation = {item: observation}
        actions = policy.act(observation)
        if not details:
            return actions
        ids = policy.tokens()
        scores = scipy.special.log_softmax(policy.scores(), axis=-1)
        layout = policy.layout
        return Details(actions, ids, layout.action_low, layout.action_high, scores)

    def write(self, text: str, *, tokens: int = 48, temperature: float | None = 0.7, seed: int = 0) -> str:
        """What follows a text, without it. `temperature=None` is greedy."""
        return self._speaker().continue_text([text], tokens=tokens, temperature=temperature, seed=seed)[0]

    def caption(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        *,
        tokens: int = 32,
        temperature: float | None = None,
        seed: int = 0,
    ) -> str:
        """A caption of a picture. `temperature=None` is greedy; the paper's samples have 0.9."""
        return self.answer(picture, "", tokens=tokens, temperature=temperature, seed=seed)

    def answer(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        question: str,
        *,
        tokens: int = 8,
        temperature: float | None = None,
        seed: int = 0,
    ) -> str:
        """The answer to a question about a picture. `temperature=None` is greedy.

        Raises:
          ValueError: the picture is not uint8 [height, width, 3], or too large for the model's local positions.
        """
        pictures = np.asarray(picture)[None]
        return self._speaker().answer(pictures, [question], tokens=tokens, temperature=temperature, seed=seed)[0]

    def _acting(self) -> Policy:
        if self._policy is None:
            raise ValueError(f"reset the agent to a task first: agent.reset(TASK), one of {self.tasks[:5]}, or a spec")
        return self._policy

    def _speaker(self) -> Generator:
        self._generator = self._generator or Generator(self.weights)
        return self._generator

    def _policy_of(self, task: str | TaskSpec) -> Policy:
        """The task's policy, which is made once, so that what it compiled is kept."""
        spec = self._spec_of(task) if isinstance(task, str) else task
        key = spec.to_json()
        if key not in self._policies:
            self._policies[key] = Policy(self.weights, spec, agent=self.options, warm_up=True)
        return self._policies[key]

    def _spec_of(self, task: str) -> TaskSpec:
        if (beside := self._beside(task)) is not None:
            return beside.spec
        spec = read_spec(self._data, task) if self._data.is_dir() else None
        if spec is None:
            near = difflib.get_close_matches(task, self.tasks, n=3, cutoff=0.4) or self.tasks[:5]
            raise ValueError(f"no spec of task {task!r} in {self._data}; expected one of {near}, or give its TaskSpec")
        return spec

    def _drawn(self, policy: Policy, prompt: Prompt, seeds: Sequence[int]) -> list[tuple[str, Demonstration]]:
        """A demonstration for each seed and the episode it is from."""
        nothing: list[tuple[str, Demonstration]] = [("", ())] * len(seeds)
        if prompt is Prompt.NONE:
            self.unprompted = "none were asked for"
            return nothing
        if prompt is Prompt.AUTO and not self.weights.experiment.data.stream.prompt_share:
            self.unprompted = "the weights were trained without"
            return nothing
        task, self.unprompted = policy.spec.name, ""
        try:
            if not policy.prompt_timesteps:
                raise DataError(f"task {task!r}: a window of {policy.window} timesteps has no room for a prompt")
            shown = self._demonstrations_of(task, policy.prompt_timesteps)
            goal, timesteps = prompt is Prompt.GOAL, policy.prompt_timesteps
            return [shown.drawn_by(seed, goal=goal, timesteps=timesteps) for seed in seeds]
        except DataError as error:
            if prompt is not Prompt.AUTO:
                raise
            self.unprompted = str(error)
            return nothing

    def _demonstrations_of(self, task: str, timesteps: int) -> Demonstrations:
        key = task, timesteps
        if key not in self._demonstrations:
            beside = self._beside(task)
            self._demonstrations[key] = beside or demonstrations.read(self._data, task, timesteps=timesteps)
        return self._demonstrations[key]

    def _beside(self, task: str) -> Demonstrations | None:
        """What the export has of a task, as it was written."""
        if self._shown is None or not (self._shown / f"{task}.npz").is_file():
            return None
        stored = read_digests(self._shown.parent, expected=True)
        check_part(self._shown.parent, f"{DIRECTORY}/{task}.npz", {} if stored is None else stored.files)
        return Demonstrations.load(self._shown / f"{task}.npz")

    @staticmethod
    def _single(spec: TaskSpec) -> list[str]:
        if len(spec.observation) != 1:
            keys = [item.key for item in spec.observation]
            raise ValueError(f"task {spec.name!r}: expected a dict with the keys {keys}, found one array")
        return [spec.observation[0].key]
