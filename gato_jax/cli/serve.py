"""`gato serve`: a run or an export as a server of actions."""

import asyncio
import contextlib
import json as json_module
import pathlib
import signal
import sys
import threading
from typing import TYPE_CHECKING

from tyro.conf import Positional

from data_pipelines.ranges import Count, Natural, Positive
from gato_jax.cli.common import UsageError

if TYPE_CHECKING:
    from gato_jax.serving.server import PolicyServer

TELL_SECONDS = 30.0
"""How often the server says how it does, where something has happened."""


def serve(
    run: Positional[pathlib.Path],
    task: Positional[str | None] = None,
    data: pathlib.Path | None = None,
    host: str = "127.0.0.1",
    port: Natural = 8000,
    api_key_file: pathlib.Path | None = None,
    prompts: str = "auto",
    clients: Count = 64,
    idle_seconds: Positive = 300.0,
    json: bool = False,
) -> None:
    """Serve a run's or an export's actions to robots and simulators, over WebSockets in openpi's protocol.

    Args:
      run: run directory of `gato train`, or an export.
      task: which clients get that name none; it is compiled at once.
      data: data directory of specs and demonstrations; the run's own when not given.
      host: address to listen on. One that other machines reach needs --api-key-file.
      port: to listen on; 0 takes a free one.
      api_key_file: file with the key that clients send as "Authorization: Api-Key KEY".
      prompts: what stands before an episode: auto, demonstration, goal or none.
      clients: connections at a time.
      idle_seconds: a client that sends nothing for so long is dropped.
      json: print the address and the counts of the end as JSON.
    """
    from gato_jax.agent.agent import Agent, Prompt
    from gato_jax.serving.server import PolicyServer, ServerOptions

    if prompts not in {prompt.value for prompt in Prompt}:
        raise UsageError(f"--prompts: expected one of {[prompt.value for prompt in Prompt]}, found {prompts!r}")
    key = "" if api_key_file is None else api_key_file.read_text(encoding="utf-8").strip()
    if api_key_file is not None and not key:
        raise ValueError(f"{api_key_file}: expected a key, found an empty file")
    options = ServerOptions(host, port, api_key=key, clients=clients, idle_seconds=idle_seconds)
    agent = Agent.load(run, data=data)
    if task is None and not agent.tasks:
        raise ValueError(f"{run}: no task has a spec here; give --data DATA, where the tasks were recorded")
    server = PolicyServer(agent, task=task, prompts=prompts, options=options)
    asyncio.run(_until_stopped(server, json))
    counts = server.statistics
    if json:
        print(json_module.dumps({"actions": counts.actions, "errors": counts.errors, **counts.percentiles()}))
    else:
        print(f"stopped: {counts.line()}")


async def _until_stopped(server: "PolicyServer", json: bool) -> None:
    """Serves until SIGINT or SIGTERM."""
    stop, listening = asyncio.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.ensure_future(server.run(stop, listening))
    while not listening.is_set() and not serving.done():
        await asyncio.sleep(0.01)
    if listening.is_set():
        page = server.url.replace("ws:", "http:")
        if json:
            print(json_module.dumps({"url": server.url, **server.metadata}), flush=True)
        else:
            print(f"serving {server.metadata.get('task', 'all tasks')} at {server.url}; live at {page}/", flush=True)
    told = asyncio.ensure_future(_tell(server))
    try:
        await serving
    finally:
        told.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await told


async def _tell(server: "PolicyServer") -> None:
    """Says from time to time what has happened since."""
    before = 0
    while True:
        await asyncio.sleep(TELL_SECONDS)
        if server.statistics.actions != before:
            before = server.statistics.actions
            print(server.statistics.line(), file=sys.stderr, flush=True)
