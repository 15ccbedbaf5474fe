"""Attempt after attempt of one task, whatever becomes of the world that is played."""

import collections
from collections.abc import Callable

from data_pipelines.recording.episodes import (
    Episode,
    ExpertFailed,
    PlayerDied,
    PlayerGrew,
    TimeLimitExceeded,
    WorldFailed,
)  # fmt: skip
from data_pipelines.recording.job import Job
from data_pipelines.recording.players import Plays, open_player

_RANDOM_SECONDS = 60.0  # more than an attempt of the expert may take
_KEPT_OPEN = 2


class Outgrown(Exception):
    """This process holds more memory than it may."""


class Players:
    """The players of this process: the latest few stay open from one part of a task to the next."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, bool], Plays] = {}

    def get(self, job: Job) -> Plays:
        """The player of a job's task."""
        key = (job.task, job.outside, job.isolated)
        if key not in self._open:
            while len(self._open) >= _KEPT_OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[key] = open_player(job.task, job.outside, isolated=job.isolated, memory=job.most_memory)
        return self._open[key]

    def close_all(self) -> None:
        """Ends every player."""
        while self._open:
            self._open.popitem()[1].close()

    def close(self, job: Job) -> None:
        """Ends the player of a job's task; the next `get` opens another."""
        if player := self._open.pop((job.task, job.outside, job.isolated), None):
            player.close()


class Attempts:
    """The attempts of one job.

    A process that plays and ends costs the attempt, after a second try: an accident must not decide what the data are.
    One that hangs or grows is ended; one that has grown between two attempts is replaced, which costs none.

    Args:
      job: how to play.
      players: of this process.
      beat: called when an attempt begins again, so that nobody thinks that it hangs.
    """

    def __init__(self, job: Job, players: Players, beat: Callable[[], None] = lambda: None):
        self._job, self._players, self._beat = job, players, beat
        self.player = players.get(job)
        self.replaced: collections.Counter[str] = collections.Counter()

    def expert(self, seed: int, noise: float) -> tuple[Episode | None, str]:
        """An attempt of the expert; None, and why, where it failed."""
        job = self._job
        return self._play(
            lambda player: player.expert(
                seed, noise=noise, hold=job.noise_hold, limit=job.steps, seconds=job.time_limit, swap=job.noise_swap
            ),
            job.time_limit,
        )

    def random(self, seed: int) -> tuple[Episode | None, str]:
        """An episode of the random policy, alike."""
        seconds = self._job.time_limit + _RANDOM_SECONDS
        return self._play(lambda player: player.random(seed, seconds=seconds), seconds)

    def _play(self, play: Callable[[Plays], Episode], seconds: float) -> tuple[Episode | None, str]:
        self._bound_memory()
        for again in (True, False):
            try:
                return play(self.player), ""
            except TimeLimitExceeded:
                if not self.player.alive:  # It did not stop when it was asked to.
                    self._replace("hung")
                return None, f"took more than {seconds} s"
            except PlayerGrew as error:
                self._replace("grew")
                return None, _line(error)
            except PlayerDied as error:
                self._replace("died")
                if not again:
                    return None, _line(error)
                self._beat()
            except (ExpertFailed, WorldFailed) as error:
                return None, _line(error)
        raise AssertionError("the second try returns")

    def _bound_memory(self) -> None:
        limit, memory = self._job.memory, self.player.memory
        if not limit or memory <= limit:
            return
        if not self.player.isolated:
            raise Outgrown(f"recording {self._job.task!r} takes {memory:.0f} MiB of memory, more than {limit:.0f}")
        self._replace("grew")

    def _replace(self, why: str) -> None:
        self.replaced[why] += 1
        self._players.close(self._job)
        self.player = self._players.get(self._job)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
