"""Choosing action tokens for N environments with a key-value cache: each with its own episode, length and prompt.

A step reads the new observation of every environment and decodes its action one token at a time among the legal ids of
each place. While the window holds the whole history the cache equals recomputation. When it is full, whole oldest
timesteps are dropped and what is left stands from position 0 again, so the model never sees a sequence of a kind that
training did not show it; a prompt stays, as in training it stands before any part of an episode. What is left is not
read at once: from the last part of a window on, every step reads a piece of it into a second cache, which takes over
when the first one is full. So no step is much longer than another, and rows need not be in step with each other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Int32

from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.vocabulary import Vocabulary
from gato_jax.agent import memory
from gato_jax.agent.choose import Legal, Rule
from gato_jax.agent.episodes import Episodes
from gato_jax.agent.fields import Fields, blank, prompt_fields, without_positions
from gato_jax.agent.memory import Network, Rows, Window
from gato_jax.config import Decode, ModelConfig, Sampling
from gato_jax.model.positions import scheme_of

PROMPT_PLACES = 4096
"""About so many places of prompts are read in one call."""

PLAIN = Sampling()

BUCKETS_FROM = 8
"""Shorter windows are always looked at as a whole."""


class ActionSampler:
    """Turns tokenised observations of N environments into action tokens, remembering what the window holds.

    Args:
      config, vocabulary, parameters: the model.
      layout: the task's timestep.
      window: most timesteps in view, the current one included.
      drop: timesteps of the episode dropped when the window is full; 0 = a quarter of the window, at least one.
      decode, sampling: how tokens are chosen.
      prompt: of episodes for which `reset` is given none: timesteps as `timestep_fields` makes them, [1, L].
      longest_prompt: timesteps of the longest one that may be given; None = that of `prompt`.
      slides: as `Window.slides`; `drop` says nothing then.
      longest_episode: with it, `reset` compiles all that episodes of so many steps need, so that no step does.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary: Vocabulary,
        parameters: Any,
        layout: TimestepLayout,
        *,
        window: int = 1,
        drop: int = 0,
        decode: Decode = Decode.ARGMAX,
        sampling: Sampling = PLAIN,
        prompt: Sequence[Fields] = (),
        longest_prompt: int | None = None,
        slides: bool = False,
        longest_episode: int | None = None,
    ):
        task = layout.spec.name
        if window < 1:
            raise ValueError(f"task {task!r}: the window must hold at least one timestep, found {window}")
        scheme = scheme_of(config)
        if scheme.longest is not None and (slides or window * layout.length > scheme.longest):
            what = "the paper's memory goes on for ever" if slides else f"a window has {window * layout.length} places"
            table = f"the table of {scheme.title} positions has {scheme.longest} rows"
            raise ValueError(f"task {task!r}: {what}, but {table}; choose another full_window or context_timesteps")
        self.layout, self.window = layout, window
        self.drop = min(window, drop or max(1, window // 4))
        self.longest_prompt = len(prompt) if longest_prompt is None else longest_prompt
        self._network, self._shape = Network(config, vocabulary), Window(window, layout.length, slides)
        self._parameters, self._prompt = parameters, list(prompt)
        self._rule, self._legal = Rule.of(layout, decode, sampling), Legal.of(layout, sampling)
        self._longest_episode = longest_episode
        self._check(self._prompt)
        self._distances: list[Any] = []
        self._allocate(0)

    @property
    def rows(self) -> int:
        """Environments."""
        return self.episodes.rows

    def reset(
        self,
        seeds: Sequence[int] | Int[np.ndarray, " envs"],
        prompts: Sequence[Sequence[Fields]] | None = None,
        *,
        rows: Sequence[int] | None = None,
    ) -> None:
        """Starts new episodes: of all rows, as many as there are seeds, or of some while the others go on.

        Args:
          seeds: one for each episode: what it draws depends on it and on nothing else.
          prompts: for each episode, the timesteps that stand before it, oldest first, as `timestep_fields` makes them
            ([1, L]). At least one timestep of the window must be left. None = the sampler's own.
          rows: whose episodes; None = all.
        """
        prompts = [self._prompt] * len(seeds) if prompts is None else prompts
        chosen = list(range(len(seeds))) if rows is None else [int(row) for row in rows]
        if not len(prompts) == len(seeds) == len(chosen):
            raise ValueError(
                f"expected a seed and a prompt for each of {len(chosen)} rows, found {len(seeds)} and {len(prompts)}"
            )
        for prompt in prompts:
            self._check(prompt)
        if rows is None and len(seeds) != self.rows:
            self._allocate(len(seeds))
        if wrong := [row for row in chosen if not 0 <= row < self.rows]:
            raise ValueError(f"expected rows of 0 to {self.rows - 1}, found {wrong[0]}")
        self.episodes.start(chosen, seeds, [len(prompt) for prompt in prompts])
        self._read_prompts([(row, prompt) for row, prompt in zip(chosen, prompts, strict=True) if prompt])

    def __call__(self, observation: Fields) -> Int32[np.ndarray, "envs actions"]:
        """Action ids for observations as `TimestepTokenizer.encode_observation` gives them, [N, n].

        A row is -1 where the model's logits are not finite.
        """
        if len(observation["tokens"]) != self.rows:
            raise ValueError(f"expected {self.rows} observations, one per seed, found {len(observation['tokens'])}")
        if self.window > 1 and not self._shape.slides:
            self._move_windows()
        tokens = self._act(without_positions(observation, self.layout))
        self.episodes.advance()
        return tokens

    def scores(self) -> Float32[np.ndarray, "envs actions ids"]:
        """Of the last step: the model's score of every legal id of each action place; -inf where an id is not legal.

        The first id is the lowest legal one of any place.
        """
        ids = self._rule.low + np.arange(self._rule.high - self._rule.low)
        legal = (ids >= self.layout.action_low[:, None]) & (ids < self.layout.action_high[:, None])
        return np.where(legal, np.asarray(self._scores), -np.inf).astype(np.float32)

    def _check(self, prompt: Sequence[Fields]) -> None:
        task, count = self.layout.spec.name, len(prompt)
        if count >= self.window:
            raise ValueError(
                f"task {task!r}: a prompt of {count} timesteps leaves no room in a window of {self.window}"
            )
        if count > self.longest_prompt:
            raise ValueError(
                f"task {task!r}: expected at most {self.longest_prompt} timesteps of prompt, found {count}"
            )

    def _allocate(self, rows: int) -> None:
        """Memory of so many rows, and where asked for all programs."""
        self.episodes = Episodes(rows, self.window, drop=self.drop, longest_prompt=self.longest_prompt)
        self._memory: memory.Memory | None = None
        self._ahead: memory.Memory | None = None
        self._timesteps: memory.Timesteps | None = None
        if not rows:
            return
        self._distances = memory.new_distances(self._parameters, network=self._network, count=self._shape.places)
        if self.window > 1:
            new = lambda: memory.new_memory(  # noqa: E731
                self._parameters, network=self._network, window=self._shape, rows=rows
            )
            self._memory, self._timesteps = new()
            if not self._shape.slides:
                self._ahead = new()[0]
        if self._longest_episode is not None:
            self._warm_up(self._longest_episode + self.longest_prompt)

    def _warm_up(self, timesteps: int) -> None:
        """Runs all programs once. What they leave in the memory is behind the end of every row, where nothing looks."""
        observation = blank(self.layout, self.rows)
        for reach in self._reaches():
            self._act(observation, reach=reach)
            if reach >= timesteps:
                break
        if self.longest_prompt:
            self._read_prompts([(0, [])])
        # Reading ahead begins before a window is full.
        if timesteps > self.window - self.drop and self.window > 1 and not self._shape.slides:
            for reach in self._reaches():
                self._fill(np.zeros((self.rows, self.episodes.piece), np.int32), reach=reach)
            self._take_over([])

    def _reaches(self) -> list[int]:
        """Timesteps that are looked at: a quarter, half, or all of the window."""
        if self.window < BUCKETS_FROM:
            return [self.window]
        return [-(-self.window // 4), -(-self.window // 2), self.window]

    def _reach(self, timesteps: int) -> int:
        return next(reach for reach in self._reaches() if reach >= min(timesteps, self.window))

    def _act(self, fields: Fields, *, reach: int | None = None) -> Int32[np.ndarray, "envs actions"]:
        """One call that carries everything to the device."""
        episodes = self.episodes
        where: Any = (episodes.length, *episodes.slots_in_use(), episodes.seed, episodes.step)
        tokens, self._scores, self._memory, self._timesteps = memory.act(
            self._parameters,
            self._distances,
            self._memory,
            self._timesteps,
            fields,
            self.layout.action_position,
            Rows(*where),
            self._legal,
            network=self._network,
            window=self._shape,
            rule=self._rule,
            reach=reach or self._reach(int(episodes.length.max())),
        )
        return np.array(tokens)

    def _move_windows(self) -> None:
        """Reads a piece of what full windows will leave, and lets the second memory take over where one is full."""
        while True:
            slots = self.episodes.next_piece()
            if slots is not None:
                self._fill(slots)
                self.episodes.read_piece()
            if not len(full := self.episodes.full()):
                return
            if self.episodes.is_ready(full):
                self._take_over(full)
                self.episodes.take_over(full)
                return

    def _fill(self, slots: Int[np.ndarray, "envs piece"], *, reach: int | None = None) -> None:
        self._ahead = memory.fill(
            self._parameters,
            self._distances,
            self._ahead,
            self._timesteps,
            slots,
            self.episodes.start_of_piece(),
            network=self._network,
            window=self._shape,
            # The last token's place is one behind the timesteps.
            reach=reach or self._reach(int(self.episodes.filled.max()) + 1),
        )

    def _take_over(self, rows: Sequence[int] | np.ndarray) -> None:
        padded = np.zeros(self.rows, np.int32)
        padded[: len(rows)] = rows
        # What stays is at most the window without the fewest timesteps that are dropped; place 0 is nobody's.
        places = (self.window - self.episodes.least_drop) * self.layout.length + 1
        self._memory = memory.take_over(self._memory, self._ahead, padded, np.int32(len(rows)), places=places)

    def _read_prompts(self, prompts: Sequence[tuple[int, Sequence[Fields]]]) -> None:
        """Reads prompts a few rows at a time, so that resetting one row costs about one row."""
        size = max(1, min(self.rows, PROMPT_PLACES // max(1, self.longest_prompt * self.layout.length)))
        for start in range(0, len(prompts), size):
            some = list(prompts[start : start + size])
            some += [some[-1]] * (size - len(some))
            fields = prompt_fields([prompt for _, prompt in some], self.layout, timesteps=self.longest_prompt)
            self._memory, self._timesteps = memory.read_prompts(
                self._parameters,
                self._distances,
                self._memory,
                self._timesteps,
                fields,
                np.array([row for row, _ in some], np.int32),
                network=self._network,
                window=self._shape,
            )
