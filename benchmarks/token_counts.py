"""Tokens per timestep and episode of the tasks whose simulators are here, beside the paper's table 1.

    python -m benchmarks.token_counts [--episodes 1] [--seconds 60]

Episodes of BabyAI are played by its bot, at most so many seconds in all; the others have a fixed length.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("MUJOCO_GL", "disabled")

import numpy as np
from dm_control import suite

from data_pipelines.recording.episodes import ExpertFailed, run_episode
from data_pipelines.reports import timestep_tokens
from data_pipelines.suites import catalog
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    print("| tasks | text | image | discrete | continuous | action | per timestep | steps | per episode | the paper |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    counts = [_suite(domain, task) for domain, task in suite.BENCHMARKING]
    _print(f"dm_control, {len(counts)} benchmark tasks", _mean(counts), 1000, "DM Control Suite")
    for domain, row in (("metaworld", "Meta-World"), ("babyai", "BabyAI")):
        tasks = [task for task in catalog.catalog().values() if task.domain == domain and task.installed]
        start, counts, steps = time.monotonic(), [], []
        for task in tasks:
            environment = catalog.make(task.name)
            counts.append(timestep_tokens.timestep_counts(TimestepLayout.build(environment.spec, TokenConfig())))
            if domain != "babyai":
                steps.append(environment.spec.max_episode_steps)
                continue
            for seed in range(arguments.episodes):
                if time.monotonic() - start < arguments.seconds:
                    try:
                        steps.append(len(run_episode(environment, task.make_expert(), seed=seed).executed))
                    except ExpertFailed:
                        continue  # The bot gives up on some seeds.
        _print(f"{domain}, {len(tasks)} tasks ({len(steps)} episodes)", _mean(counts), statistics.mean(steps), row)
    for name, shape, row in (
        ("procgen, 64 x 64", (64, 64), "Procgen Benchmark"),
        ("Atari, 80 x 64", (80, 64), "ALE Atari"),
        ("Atari, 84 x 84 padded", (84, 84), "ALE Atari"),
    ):
        _print(name, timestep_tokens.screen_counts(*shape), None, row)


def _suite(domain: str, task: str) -> dict[str, int]:
    """Counts of a task of dm_control, whether the catalog can record it or not."""
    environment = suite.load(domain, task)
    observation = sum(int(np.prod(spec.shape)) for spec in environment.observation_spec().values())
    action = int(np.prod(environment.action_spec().shape))
    return {"text": 0, "image": 0, "discrete": 0, "continuous": observation, "separator": 1, "action": action}


def _mean(counts: list[dict[str, int]]) -> dict[str, float]:
    return {name: statistics.mean(count[name] for count in counts) for name in counts[0]}


def _print(name: str, counts: dict[str, float], steps: float | None, row: str) -> None:
    total, paper = sum(counts.values()), timestep_tokens.paper_tokens_per_episode(row)
    kinds = [f"{counts[kind]:.4g}" for kind in ("text", "image", "discrete", "continuous", "action")]
    ours = [f"{steps:.0f}", f"{total * steps:,.0f}"] if steps else [f"{paper / total:.0f} would be the paper's", "-"]
    print(f"| {name} | {' | '.join([*kinds, f'{total:.4g}', *ours])} | {paper:,.0f} |")


if __name__ == "__main__":
    main()
