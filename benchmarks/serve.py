"""`python -m benchmarks.serve RUN TASK`: a real `gato serve` under load; JSON.

First one client alone, as fast as it can and at 20 steps a second; then many at once, of which one loses its connection
every second without a word and is replaced. Every action is compared with what the agent does in that episode without a
server, so nothing of one episode can have got into another unseen.
"""

import argparse
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from data_pipelines.spec import Kind, TaskSpec
from gato_jax.agent.agent import Agent
from gato_jax.serving import messages

EPISODES, STEPS = 8, 40
"""So many different episodes of so many steps are played, over and over."""


def observations(spec: TaskSpec, seed: int) -> list[dict[str, Any]]:
    """Random ones of a task without texts."""
    draws = np.random.default_rng(seed)

    def one() -> dict[str, Any]:
        values = {}
        for item in spec.observation:
            if item.kind is Kind.TEXT:
                raise SystemExit(f"{spec.name}: expected a task without texts, found key {item.key!r}")
            if item.kind is Kind.CONTINUOUS:
                values[item.key] = draws.normal(size=item.shape).astype(item.dtype)
            else:
                most = 256 if item.kind is Kind.IMAGE else min(item.radix or (item.num_values,))
                values[item.key] = draws.integers(0, most, item.shape).astype(item.dtype)
        return values

    return [one() for _ in range(STEPS)]


class Load:
    """Clients of one server, what they got, and how long it took."""

    def __init__(self, url: str, episodes: list[tuple[list[dict[str, Any]], list[np.ndarray]]]):
        self.url, self.episodes = url, episodes
        self.milliseconds: list[float] = []
        self.errors: list[str] = []
        self.killed = 0
        self._live: list[Any] = []

    async def client(self, number: int, until: float, hertz: float) -> None:
        """Plays episodes until then; begins anew where its connection was cut."""
        while time.monotonic() < until:
            try:
                async with connect(self.url, compression=None, max_size=None) as connection:
                    self._live.append(connection)
                    await connection.recv()
                    while time.monotonic() < until:
                        await self._episode(connection, number % EPISODES, until, hertz)
                        number += 1
            except OSError as error:
                self.errors.append(f"no connection: {error}")
                return
            except Exception as error:
                if getattr(connection, "cut", False):
                    continue
                self.errors.append(f"{type(error).__name__}: {error}")
                return
            finally:
                if connection in self._live:
                    self._live.remove(connection)

    async def _episode(self, connection: Any, number: int, until: float, hertz: float) -> None:
        seen, expected = self.episodes[number]
        for step, (observation, action) in enumerate(zip(seen, expected, strict=True)):
            begin = time.monotonic()
            if begin > until:
                return
            more = {"reset": True, "seed": number} if step == 0 else {}
            await connection.send(messages.pack({**observation, **more}))
            reply = await connection.recv()
            if isinstance(reply, str):
                raise RuntimeError(reply)
            self.milliseconds.append(1000 * (time.monotonic() - begin))
            if not np.array_equal(messages.unpack(reply)["actions"][0], action):
                raise RuntimeError(f"episode {number}, step {step}: another action than the agent's")
            if hertz:
                await asyncio.sleep(max(0.0, begin + 1 / hertz - time.monotonic()))

    async def kill(self, until: float) -> None:
        """Cuts a connection every second, in the middle of whatever it is at."""
        while time.monotonic() < until - 1:
            await asyncio.sleep(1)
            if self._live:
                connection = self._live[self.killed % len(self._live)]
                connection.cut = True
                connection.transport.abort()
                self.killed += 1

    async def run(self, clients: int, seconds: float, hertz: float, *, kill: bool) -> dict[str, Any]:
        """The figures of so many clients for so long."""
        self.milliseconds, self.killed = [], 0
        until = time.monotonic() + seconds
        tasks = [self.client(number, until, hertz) for number in range(clients)]
        await asyncio.gather(*tasks, *([self.kill(until)] if kill else []))
        values = np.percentile(self.milliseconds, [50, 90, 99, 100])
        percentiles = dict(zip(("p50", "p90", "p99", "worst"), np.round(values, 2).tolist(), strict=True))
        return {
            "clients": clients, "seconds": seconds, "asked_hertz": hertz or None, "killed": self.killed,
            "actions": len(self.milliseconds), "actions_per_second": round(len(self.milliseconds) / seconds, 1),
            "milliseconds": percentiles, "errors": self.errors,
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("task")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--hertz", type=float, default=2.0, help="steps a second that each of the many asks for")
    options = parser.parse_args()
    agent = Agent.load(options.run, data=options.data)
    episodes = []
    for seed in range(EPISODES):
        spec = agent.reset(options.task, seeds=[seed])
        seen = observations(spec, seed)
        episodes.append((seen, [agent.act(observation) for observation in seen]))
    more = ["--data", str(options.data)] if options.data else []
    command = [sys.executable, "-m", "gato_jax.cli", "serve", str(options.run), options.task, "--port", "0", "--json"]
    limit = ["--clients", str(options.clients + 8)]
    with subprocess.Popen([*command, *more, *limit], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        load = Load(url, episodes)
        result = {
            "task": options.task, "cores": os.cpu_count(),
            "one": asyncio.run(load.run(1, 10, 0, kill=False)),
            "one_at_20_hertz": asyncio.run(load.run(1, 20, 20, kill=False)),
            "many": asyncio.run(load.run(options.clients, 60 * options.minutes, options.hertz, kill=True)),
        }  # fmt: skip
        server.terminate()
        result["server"] = json.loads(server.stdout.readline())
        result["exit_code"] = server.wait(30)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
