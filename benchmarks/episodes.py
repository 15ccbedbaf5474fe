"""Episodes that are scored, in a process without TensorFlow: a world that hangs or dies costs an episode.

`EpisodePlayer` asks; `python -m benchmarks.episodes PARENT` plays.
"""

import sys
import time
from typing import Any

from data_pipelines.recording.episodes import ExpertFailed, TimeLimitExceeded, patience, run_episode, time_limit
from data_pipelines.recording.player import open_task
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import Expert, RandomPolicy
from data_pipelines.suites.outside.world_process import ProcessDied, ProcessHung, ProcessLost, Requests, WorldProcess

EXPERT, RANDOM = "expert", "random"
OPENING_SECONDS = 300.0
MEMORY = 6144.0
"""MiB that a process may hold."""


class EpisodePlayer:
    """A task with its expert and the random policy. Its process is replaced where it hangs, dies or grows.

    Args:
      task: name in the catalog.

    Raises:
      ProcessLost: it cannot be opened.
    """

    def __init__(self, task: str):
        self._task = task
        self._process = self._open()

    def __enter__(self) -> "EpisodePlayer":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.close()

    def attempt(self, who: str, seed: int, limit: float) -> dict[str, Any]:
        """What came of one episode, as `attempt` says it. One whose process died is tried twice: it may be an accident.

        Args:
          who: `EXPERT` or `RANDOM`.
          seed: of the episode.
          limit: seconds.
        """
        begun = time.perf_counter()
        for again in (True, False):
            try:
                answer, _ = self._process.ask(
                    {"who": who, "seed": seed, "limit": limit}, patience(limit), memory=MEMORY
                )
                return answer
            except ProcessLost as lost:
                self._process.close()
                self._process = self._open()
                if not (again and isinstance(lost, ProcessDied)):
                    why = f"took more than {limit:g} s" if isinstance(lost, ProcessHung) else str(lost)
                    return {"failed": why, "seconds": round(time.perf_counter() - begun, 3)}
        raise AssertionError("the second try returns")

    def _open(self) -> WorldProcess:
        process = WorldProcess("benchmarks.episodes")
        try:
            process.ask({"task": self._task}, OPENING_SECONDS)
        except BaseException:
            process.close()
            raise
        return process


def attempt(env: Environment, policy: Expert, seed: int, limit: float) -> dict[str, Any]:
    """What came of one episode: its return and steps, or why it failed; and the seconds that it took."""
    begun = time.perf_counter()
    record: dict[str, Any] = {}
    try:
        with time_limit(limit):
            episode = run_episode(env, policy, seed)
    except TimeLimitExceeded:
        record["failed"] = f"took more than {limit:g} s"
    except ExpertFailed as error:
        record["failed"] = str(error).splitlines()[0]
    else:
        record |= {"return": float(f"{episode.episode_return:.6g}"), "steps": len(episode.executed)}
        if env.success is not None:
            record["success"] = bool(env.success)
    return record | {"seconds": round(time.perf_counter() - begun, 3)}


def main(parent: int) -> None:
    """The process: opens the task that the first request names, then plays."""
    requests = Requests(parent)
    env, expert = open_task(next(iter(requests))["task"])
    policies: dict[str, Expert] = {EXPERT: expert, RANDOM: RandomPolicy()}
    requests.answer({})
    for request in requests:
        requests.answer(attempt(env, policies[request["who"]], request["seed"], request["limit"]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
