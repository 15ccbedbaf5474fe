"""A process that holds some simulators of one task: `Remote` is its other end. Imports neither JAX nor TensorFlow."""

import json
import os
import sys
from typing import Any, BinaryIO

import numpy as np

from data_pipelines.spec import TaskSpec
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from gato_jax.evaluation.simulators.local import Step, stepped
from gato_jax.evaluation.simulators.remote import action_size, encoded


def main() -> None:
    """Answers until standard input ends."""
    # Simulators print; the answers go out on a descriptor of their own.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    opening = json.loads(requests.readline())
    spec = TaskSpec.from_dict(opening["spec"]) if opening["spec"] else None
    allow = (spec.world.code,) if spec is not None and spec.world is not None else ()
    try:
        environments = [catalog.make(opening["task"], spec, allow=allow) for _ in range(opening["count"])]
    except Exception as error:  # Told to the parent, which raises.
        _say(answers, {"error": f"task {opening['task']!r} cannot be opened: {type(error).__name__}: {error}"})
        return
    _say(answers, {"spec": json.loads(environments[0].spec.to_json())})
    for line in requests:
        request = json.loads(line)
        chosen = [environments[place] for place in request["places"]]
        if request["do"] == "reset":
            entries = [_started(env, seed) for env, seed in zip(chosen, request["seeds"], strict=True)]
        else:
            item, size = chosen[0].spec.action, action_size(chosen[0].spec)
            actions = [np.frombuffer(requests.read(size), item.dtype).reshape(item.shape) for _ in chosen]
            entries = [_told(env, stepped(env, action)) for env, action in zip(chosen, actions, strict=True)]
        _say(answers, [entry for entry, _ in entries], b"".join(data for _, data in entries))


def _started(environment: Environment, seed: int) -> tuple[dict[str, Any], bytes]:
    try:
        observation = environment.reset_to(seed).observation
    except Exception as error:  # Told to the parent, which raises.
        return {"error": f"{type(error).__name__}: {error}"}, b""
    texts, data = encoded(environment.spec, observation)
    return {"texts": texts}, data


def _told(environment: Environment, step: Step) -> tuple[dict[str, Any], bytes]:
    if step.timestep is None:
        return {"error": step.error}, b""
    texts, data = encoded(environment.spec, step.timestep.observation)
    timestep = step.timestep
    entry = {
        "texts": texts, "reward": float(timestep.reward), "discount": float(timestep.discount),
        "last": bool(timestep.last()), "success": None if step.success is None else bool(step.success),
    }  # fmt: skip
    return entry, data


def _say(answers: BinaryIO, header: Any, data: bytes = b"") -> None:
    answers.write(json.dumps(header).encode() + b"\n" + data)
    answers.flush()


if __name__ == "__main__":
    main()
