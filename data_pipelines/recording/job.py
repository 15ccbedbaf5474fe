"""What a worker of a recording is told to do."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Job:
    """A part of a task that one worker records at a time, into a directory of its own.

    Args:
      task: name in the catalog.
      chunk: index of this part.
      episodes: to keep.
      directory: to write; anything there is removed first.
      fingerprint: of the settings, written with the result.
      seed: of the whole recording.
      attempts: the most attempts to make.
      random_episodes: of the random policy, to score 0; given to one chunk of each task.
      bar: return from which an attempt is kept; None keeps all.
      steps: stop each attempt after so many steps; None records whole episodes. Only whole ones count as scores.
      noise: (low, high) of the action noise's standard deviation, None for none.
      noise_share: of the attempts that get noise.
      noise_hold: steps that one draw of the noise lasts.
      noise_swap: the level of the noise is the share of steps at which a random action is executed.
      uniform: every action is random: there is no demonstrator in this part.
      time_limit: seconds per attempt.
      episodes_per_file: shard size.
      split: of the episodes.
      outside: JSON of the world and expert of a task that is not in the catalog; "" where it is.
      isolated: whether the world is played in a process of its own, because it ended or held up a worker before. The
        data do not depend on it.
      memory: MiB that a process which plays a world may hold between two attempts; 0 = any.
    """

    task: str
    chunk: int
    episodes: int
    directory: str
    fingerprint: str
    seed: int = 0
    attempts: int = 0
    random_episodes: int = 0
    bar: float | None = 0.0
    steps: int | None = None
    noise: tuple[float, float] | None = None
    noise_share: float = 0.0
    noise_hold: int = 1
    noise_swap: bool = False
    uniform: bool = False
    time_limit: float = 300.0
    episodes_per_file: int = 64
    split: str = "train"
    outside: str = ""
    isolated: bool = False
    memory: float = 0.0

    @property
    def most_memory(self) -> float:
        """MiB above which a process is ended in the middle of an attempt; 0 = any."""
        return 1.5 * self.memory
