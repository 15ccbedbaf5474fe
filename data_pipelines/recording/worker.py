"""A worker process of `recording`: takes jobs as JSON lines on stdin, answers with JSON lines on stdout.

Run as `python -m data_pipelines.recording.worker PARENT`. It imports TensorFlow and must therefore run with
MUJOCO_GL=disabled. When its stdin closes, the process that gave it work is gone, and it stops at once.
"""

import collections
import contextlib
import json
import os
import queue
import shutil
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from data_pipelines import parent_process
from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.recording.attempts import Attempts, Outgrown, Players
from data_pipelines.recording.episodes import Episode
from data_pipelines.recording.job import Job
from data_pipelines.recording.spec_check import check_episode
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.spec import Kind, lookup
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source

CHUNK_FILE = "chunk.json"


class BarNotReached(Exception):
    """Too few attempts passed the bar."""


def episode_seeds(task: str, seed: int) -> np.ndarray:
    """A permutation of recording's seeds for one task: chunks take consecutive slices, so no episode comes twice."""
    return np.random.default_rng([seed, zlib.crc32(task.encode())]).permutation(EVALUATION_SEED_BASE)


def noise_level(job: Job, index: int, seed: int) -> float:
    """Standard deviation of the noise of attempt `index`: every attempt's own, and 0 for the share without noise."""
    if job.noise is None:
        return 0.0
    # Attempts with noise are spread evenly: attempt i has noise if the running total of the share passes an integer.
    index += job.chunk * job.attempts
    if int((index + 1) * job.noise_share) == int(index * job.noise_share):
        return 0.0
    return float(np.random.default_rng([seed, 2]).uniform(*job.noise))


_PLAYERS = Players()


def record_episodes(job: Job, report, players: Players = _PLAYERS) -> dict[str, Any]:
    """Attempts until enough episodes pass the bar; returns what `chunk.json` holds.

    Args:
      job: what to record.
      report: called with a dictionary after every attempt.
      players: those of this process, unless the job has its own.

    Raises:
      BarNotReached: too few attempts passed; the message has the numbers.
      TimestepError: an observation or action that is not what the spec says.
      Outgrown: this process holds too much memory.
    """
    from data_pipelines.recording.rlds.episode_writer import EpisodeWriter

    attempts = Attempts(job, players, beat=lambda: report({"type": "beat"}))
    env = attempts.player.env
    seeds = episode_seeds(job.task, job.seed)
    first = job.chunk * job.attempts
    texts: set[str] = set()
    kept, steps = 0, 0
    returns: dict[str, list[float]] = {"expert": [], "noisy": [], "starts": [], "kept": [], "random": []}
    rejected: collections.Counter[str] = collections.Counter()
    spent = dict.fromkeys(("expert", "writing", "random"), 0.0)
    with EpisodeWriter(env, Path(job.directory), split=job.split, episodes_per_file=job.episodes_per_file) as writer:
        report({"type": "beat"})
        for index in range(job.attempts):
            if kept == job.episodes:
                break
            seed = int(seeds[first + index])
            noise = noise_level(job, index, seed)
            with _timed(spent, "expert"):
                episode, reason = attempts.random(seed) if job.uniform else attempts.expert(seed, noise)
                if episode is not None:
                    check_episode(env.spec, episode)
            value = 0.0 if episode is None else episode.episode_return
            if episode is not None or not job.outside:  # A return of 0 may be a very good one elsewhere.
                returns[_kind(job, noise)].append(value)
            if episode is not None and (job.bar is None or value >= job.bar):
                with _timed(spent, "writing"):
                    writer.write(episode)
                kept += 1
                steps += len(episode.executed)
                returns["kept"].append(value)
                texts |= _texts(env.spec.observation, episode)
            else:
                rejected[reason or "return below the bar"] += 1
            report({"type": "attempt", "kept": kept, "rejected": sum(rejected.values()), "steps": steps})
    if kept < job.episodes:
        values = [value for of in returns.values() for value in of]
        raise BarNotReached(
            f"only {kept} of {job.episodes} episodes kept after {job.attempts} attempts; the bar is {job.bar}, returns "
            f"lie in [{min(values, default=0.0):.4g}, {max(values, default=0.0):.4g}], rejected: {dict(rejected)}"
        )
    # From the far end of the permutation, which no chunk reaches.
    for seed in seeds[-job.random_episodes :] if job.random_episodes else ():
        with _timed(spent, "random"):
            episode, reason = attempts.random(int(seed))
        if episode is None:
            rejected[f"random policy: {reason}"] += 1
        else:
            returns["random"].append(episode.episode_return)
        report({"type": "beat"})
    result = {"kept": kept, "rejected": dict(rejected), "steps": steps, "returns": returns, "texts": sorted(texts)}
    return {**result, "spec": env.spec.to_json(), "replaced": dict(attempts.replaced), "seconds_in": spent}


@contextlib.contextmanager
def _timed(spent: dict[str, float], what: str) -> Iterator[None]:
    """Adds the seconds of the block to what was spent."""
    started = time.monotonic()
    yield
    spent[what] += time.monotonic() - started


def _kind(job: Job, noise: float) -> str:
    """What an attempt's return tells of."""
    return "random" if job.uniform else "starts" if job.steps else "noisy" if noise else "expert"


def _texts(items, episode: Episode) -> set[str]:
    textual = [item for item in items if item.kind is Kind.TEXT]
    return {lookup(step.observation, item.path) for item in textual for step in episode.timesteps}


def run_job(job: Job, report, players: Players = _PLAYERS) -> dict[str, Any]:
    """Records one chunk; its `chunk.json` comes last and makes it complete. Arguments as of `record_episodes`."""
    source = Source.ENVIRONMENT if job.outside else catalog.get(job.task).source
    directory = Path(job.directory)
    shutil.rmtree(directory, ignore_errors=True)
    started, busy = time.monotonic(), time.process_time()
    if source is Source.ENVIRONMENT:
        result = record_episodes(job, report, players)
    else:
        from data_pipelines.recording import writers

        counts = writers.write_bundle(catalog.get(job.task), directory, seed=job.seed, count=job.episodes)
        result = {"kept": sum(counts.values()), "rejected": {}, "steps": 0, "counts": counts}
        report({"type": "attempt", "kept": result["kept"], "rejected": 0, "steps": 0})
    result |= {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - busy}
    result["fingerprint"] = job.fingerprint
    write_sorted_json(directory / CHUNK_FILE, result)
    return result


def _read_jobs(jobs: queue.Queue) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(1)  # stdin closed: whoever wanted the result is gone


def main(parent: int) -> None:
    """Serves jobs until stdin closes."""
    parent_process.killed_with_parent(parent)
    protocol: TextIO = os.fdopen(os.dup(1), "w", buffering=1)
    # Simulators print while they build levels: only the protocol may use the real stdout.
    with open(os.devnull, "w") as silence:
        os.dup2(silence.fileno(), 1)
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()

    def send(message: dict[str, Any]) -> None:
        protocol.write(json.dumps(message) + "\n")

    # Slow, so before the first job asks for them: its seconds are then those of its task.
    import data_pipelines.recording.rlds.episode_writer  # noqa: F401
    from data_pipelines.recording.rlds.envlogger_absent import why_absent

    why_absent()

    send({"type": "ready"})
    while True:
        data = json.loads(jobs.get())
        data["noise"] = None if data["noise"] is None else tuple(data["noise"])
        job = Job(**data)
        try:
            run_job(job, send)
            send({"type": "done"})
        except Outgrown as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)  # Whoever gave the job starts another worker.
        except Exception as error:
            traceback.print_exc()
            send({"type": "failed", "error": type(error).__name__, "message": str(error)})


if __name__ == "__main__":
    main(int(sys.argv[1]))
