"""Trains one policy, and writes its weights with their digest.

    python -m experiments.policies cheetah_run [--decisions 3] [--seconds 300] [--seed 0] [--out DIR]

What is learned stands in `experiments.policies.lessons`. An interrupted training begins anew.
"""

import argparse
import dataclasses
import datetime
import hashlib
import os
import pathlib
import time
from typing import Any

import numpy as np
import safetensors.numpy

from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json
from data_pipelines.suites.trained.settings import RECORDS, WEIGHTS
from experiments.policies.bodies import Bodies
from experiments.policies.lessons import LESSONS, Lesson
from experiments.policies.ppo import Learner, Statistics

REPORT_SECONDS = 10.0


def train(lesson: Lesson, *, seconds: float, seed: int, threads: int) -> tuple[dict[str, np.ndarray], float, float]:
    """The tensors of a policy, the mean training reward of a step at the end, and decisions in millions."""
    ppo, count = lesson.ppo, lesson.bodies
    bodies = Bodies(
        lesson.tasks, lesson.policy, lesson.reward, lesson.is_up, count=count, starts=lesson.starts,
        episode_steps=lesson.episode_steps, seed=seed, threads=threads,
    )  # fmt: skip
    updates = round(lesson.decisions * 1e6 / (count * ppo.horizon))
    learner = Learner(lesson.policy.features.size, bodies.actions, ppo, seed=seed)
    seen = Statistics(lesson.policy.features.size)
    seen.add(bodies.features())
    returns, reward_scale = np.zeros(count), Statistics(1)
    rng, begun, reported, recent = np.random.default_rng(seed), time.monotonic(), 0.0, []
    for update in range(updates):
        batch, returns, mean_reward = _experience(bodies, learner, seen, reward_scale, returns, rng)
        recent.append(mean_reward)
        progress = max((update + 1) / updates, (time.monotonic() - begun) / seconds)
        learner.update(batch, min(progress, 1.0))
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            print(
                f"{update + 1}/{updates} {reported - begun:.0f} s: reward of a step {np.mean(recent[-10:]):.4f}, "
                f"deviation {learner.deviation.mean():.2f}",
                flush=True,
            )
        if progress >= 1.0:
            break
    decisions = round((update + 1) * count * ppo.horizon / 1e6, 3)
    if bodies.broken:
        print(f"{bodies.broken} simulations were no longer finite; they counted as falls")
    tensors = learner.policy | {"mean": seen.mean, "scale": seen.scale}
    return (
        {name: np.asarray(values, np.float32) for name, values in tensors.items()},
        float(np.mean(recent[-20:])),
        decisions,
    )


def _experience(
    bodies: Bodies, learner: Learner, seen: Statistics, reward_scale: Statistics, returns: np.ndarray, rng: Any
) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Decisions of all bodies for a horizon, with their advantages; the discounted returns so far; the mean reward."""
    ppo = learner.settings
    kept: dict[str, list[np.ndarray]] = {
        name: [] for name in ("features", "actions", "log_probability", "reward", "value", "next", "fallen", "anew")
    }
    raw = []
    features = bodies.features()
    for _ in range(ppo.horizon):
        raw.append(features)
        mean, deviation = learner.mean(features, seen), learner.deviation
        noise = rng.normal(size=mean.shape)
        actions = mean + deviation * noise
        reward, fallen, anew, after = bodies.step(actions)
        returns = returns * ppo.discount + reward
        reward_scale.add(returns[:, None])
        returns = np.where(anew, 0.0, returns)
        for name, values in (
            ("features", seen.normalised(features)), ("actions", actions),
            ("log_probability", -(0.5 * noise**2 + np.log(deviation)).sum(axis=-1)), ("reward", reward),
            ("value", learner.value(features, seen)), ("next", learner.value(after, seen)), ("fallen", fallen),
            ("anew", anew),
        ):  # fmt: skip
            kept[name].append(values)
        features = bodies.features()
    columns = {name: np.stack(values) for name, values in kept.items()}
    advantage = _advantages(columns, columns["reward"] / reward_scale.scale, ppo.discount, ppo.trace)
    batch = {name: columns[name] for name in ("features", "actions", "log_probability")}
    batch |= {"advantage": advantage, "target": advantage + columns["value"]}
    seen.add(np.concatenate(raw))
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in batch.items()}
    return flat, returns, float(columns["reward"].mean())


def _advantages(columns: dict[str, np.ndarray], reward: np.ndarray, discount: float, trace: float) -> np.ndarray:
    """Generalised advantages [horizon, N]. Time that is up is no fall: what came after is worth what it seemed."""
    error = reward + discount * columns["next"] * ~columns["fallen"] - columns["value"]
    advantage, later = np.zeros_like(error), np.zeros(error.shape[1])
    for step in reversed(range(len(error))):
        later = error[step] + discount * trace * later * ~columns["anew"][step]
        advantage[step] = later
    return advantage


def main() -> None:
    """Trains the policy that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy", choices=sorted(LESSONS))
    parser.add_argument("--decisions", type=float, help="in millions, in place of the lesson's")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so many, if not before")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=pathlib.Path, default=WEIGHTS)
    options = parser.parse_args()
    lesson = LESSONS[options.policy]
    if options.decisions:
        lesson = dataclasses.replace(lesson, decisions=options.decisions)
    begun = time.monotonic()
    tensors, reward, decisions = train(lesson, seconds=options.seconds, seed=options.seed, threads=options.threads)
    seconds = time.monotonic() - begun
    data = safetensors.numpy.save(tensors)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.policy}.safetensors").write_bytes(data)
    records = options.out / RECORDS
    known = read_json(records, "the table of trained policies") if records.exists() else {}
    known[options.policy] = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "command": f"python -m experiments.policies {options.policy} --decisions {decisions:g} "
        f"--seed {options.seed}",
        "decisions_in_millions": decisions, "seconds": round(seconds), "threads": options.threads,
        "reward_of_a_step": round(reward, 4), "date": f"{datetime.date.today()}",
    }  # fmt: skip
    write_json(records, dict(sorted(known.items())))
    print(f"{options.policy}: {seconds:.0f} s, reward of a step {reward:.4f}, {len(data)} bytes")


if __name__ == "__main__":
    main()
