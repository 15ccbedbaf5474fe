"""A WebSocket server of one agent, in openpi's protocol: on connect a frame of metadata, then actions."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import hmac
import http
import logging
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from gato_jax import __version__
from gato_jax.agent.agent import Agent
from gato_jax.serving import live, messages
from gato_jax.serving.live import Spectators
from gato_jax.serving.session import SEEDS, Session, task_of
from gato_jax.serving.statistics import Statistics

LOOPBACK = ("127.0.0.1", "::1", "localhost")

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """Where a server listens, and its limits.

    Args:
      host: address to listen on; others than this machine's own need a key.
      port: 0 = a free one.
      api_key: clients send it as "Authorization: Api-Key KEY"; "" = none is asked for.
      clients: connections at a time; further ones are refused (503).
      idle_seconds: a client that sends nothing for so long is dropped.
      send_seconds: one that does not read for so long is dropped.
      message_bytes: of the largest message.

    Raises:
      ValueError: limits that allow nothing, or a host that others reach without a key.

    Examples:
      >>> import gato_jax
      >>> gato_jax.ServerOptions(port=0).host
      '127.0.0.1'
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str = ""
    clients: int = 64
    idle_seconds: float = 300.0
    send_seconds: float = 10.0
    message_bytes: int = 16 * 2**20

    def __post_init__(self):
        for name in ("clients", "idle_seconds", "send_seconds", "message_bytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a number above 0, found {getattr(self, name)}")
        if not 0 <= self.port < 65536:
            raise ValueError(f"port: expected 0 to 65535, found {self.port}")
        if self.host not in LOOPBACK and not self.api_key:
            raise ValueError(f"host {self.host}: other machines reach it, so an API key is needed, found none")


class PolicyServer:
    """Answers observations with an agent's actions. A connection is a client; its episodes are its own.

    All clients share weights and compiled programs. Every one has its own memory, so nothing of one episode gets into
    another. Requests are answered one after the other, in the order in which they arrive.

    Args:
      agent: whose weights act.
      task: of clients that name none; it is compiled before the first of them.
      prompts: what stands before an episode: "auto", "demonstration", "goal" or "none".
      options: where to listen, and limits.

    Raises:
      ValueError: no such task; its nearest names.

    Examples:
      >>> import gato_jax
      >>> import numpy as np
      >>> agent = gato_jax.Agent.load("run", data="data")
      >>> options = gato_jax.ServerOptions(port=0)
      >>> with gato_jax.PolicyServer(agent, task="metaworld.drawer_close", options=options) as server:
      ...     with gato_jax.PolicyClient(server.url) as client:
      ...         items = client.reset().observation
      ...         action = client.act({key: np.zeros(item["shape"], item["dtype"]) for key, item in items.items()})
      >>> action.shape
      (4,)
    """

    def __init__(
        self,
        agent: Agent,
        *,
        task: str | None = None,
        prompts: str = "auto",
        options: ServerOptions | None = None,
    ):
        self.options = ServerOptions() if options is None else options
        self.statistics = Statistics()
        self.spectators = Spectators()
        self._agent, self._task, self._prompts = agent, task, prompts
        # One thread: JAX uses all cores for one step, and no step waits for more than those before it.
        self._worker = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="gato-act")
        self._free: list[Agent] = []
        self._port = 0
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        metadata: dict[str, Any] = {"server": "gato-jax", "version": __version__, "tasks": agent.tasks}
        if task is not None:
            metadata |= task_of(agent.reset(task, prompts=prompts))
            metadata["prompts"] = agent.unprompted or "each episode begins with a demonstration"
            self._free.append(agent)  # What it compiled serves every client.
        self.metadata = metadata

    @property
    def url(self) -> str:
        """Where clients connect, once the server listens."""
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"ws://{host}:{self._port}"

    async def run(self, stop: asyncio.Event, listening: threading.Event | None = None) -> None:
        """Serves until `stop` is set; then lets each client know, finishes what it is at, and returns.

        Raises:
          OSError: the address is in use, or not of this machine.
        """
        options = self.options
        async with serve(
            self._handle,
            options.host,
            options.port,
            process_request=self._admit,
            compression=None,
            max_size=options.message_bytes,
            max_queue=2,
            open_timeout=10,
            close_timeout=2,
        ) as server:
            self._port = next(iter(server.sockets)).getsockname()[1]
            if listening is not None:
                listening.set()
            await stop.wait()
        self._worker.shutdown(wait=True)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers plain HTTP; refuses clients without the key or beyond the limit."""
        if not self._is_own_page(request):
            return connection.respond(http.HTTPStatus.FORBIDDEN, "pages of other sites may not connect\n")
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "ok\n")
        if request.path == "/favicon.ico":  # Every browser asks for it.
            return connection.respond(http.HTTPStatus.NO_CONTENT, "")
        if not self._has_key(request):
            self.statistics.refused += 1
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "expected Authorization: Api-Key KEY\n")
        if request.path == "/metrics":
            return connection.respond(http.HTTPStatus.OK, self.statistics.prometheus())
        if request.headers.get("Upgrade", "").lower() != "websocket":
            if request.path != "/":
                return connection.respond(http.HTTPStatus.NOT_FOUND, "/, /healthz, /metrics\n")
            response = connection.respond(http.HTTPStatus.OK, live.page(self.metadata))
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "text/html; charset=utf-8"
            return response
        if request.path != live.PATH and self.statistics.clients >= self.options.clients:
            self.statistics.refused += 1
            return connection.respond(
                http.HTTPStatus.SERVICE_UNAVAILABLE, f"all {self.options.clients} places are taken\n"
            )
        return None

    def _is_own_page(self, request: Request) -> bool:
        """Whether it is no page of another site: none may drive a robot on this machine. Programs send no origin."""
        origin = request.headers.get("Origin")
        own = {f"http://{host}:{self._port}" for host in (*LOOPBACK, "[::1]", self.options.host)}
        return origin is None or origin in own

    def _has_key(self, request: Request) -> bool:
        expected = f"Api-Key {self.options.api_key}".encode()
        return not self.options.api_key or hmac.compare_digest(
            request.headers.get("Authorization", "").encode(), expected
        )

    async def _handle(self, connection: ServerConnection) -> None:
        if connection.request is not None and connection.request.path == live.PATH:
            await self.spectators.watch(connection)
            return
        with contextlib.suppress(ConnectionClosed):
            async with self._place() as agent:
                number = self.statistics.connections
                session = Session(agent, task=self._task, prompts=self._prompts, seed=(number << 16) % SEEDS)
                await self._send(connection, messages.pack(self.metadata))
                while True:
                    await self._answer(connection, session, number)

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[Agent]:
        """An agent for one client, which gets it back."""
        self.statistics.clients += 1
        self.statistics.connections += 1
        agent = self._free.pop() if self._free else self._agent.sibling()
        try:
            yield agent
        finally:
            self.statistics.clients -= 1
            self._free.append(agent)

    async def _answer(self, connection: ServerConnection, session: Session, number: int) -> None:
        """Receives one message and answers it."""
        try:
            data = await asyncio.wait_for(connection.recv(), self.options.idle_seconds)
        except TimeoutError:
            await self._drop(connection, f"sent nothing for {self.options.idle_seconds:g} s")
        start = time.perf_counter()
        try:
            if isinstance(data, str):
                raise messages.MessageError("expected a MessagePack map in a binary frame, found text")
            message = messages.unpack(data)
            reply = await asyncio.get_running_loop().run_in_executor(self._worker, session.reply, message)
            packed = messages.pack(reply)
        except ValueError as error:
            self.statistics.errors += 1
            await self._send(connection, str(error))
            return
        await self._send(connection, packed)
        if "actions" in reply:
            self.statistics.acted(1000 * (time.perf_counter() - start))
            self.spectators.show(number, session, message, reply)

    async def _send(self, connection: ServerConnection, data: bytes | str) -> None:
        try:
            await asyncio.wait_for(connection.send(data), self.options.send_seconds)
        except TimeoutError:
            await self._drop(connection, f"read nothing for {self.options.send_seconds:g} s")

    async def _drop(self, connection: ServerConnection, reason: str) -> None:
        """Ends a connection without waiting for its other end, and the handler with it."""
        self.statistics.dropped += 1
        logger.info("dropped a client that %s", reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(connection.close(1008, reason), 1)
        connection.transport.abort()
        raise ConnectionClosed(None, None)

    def __enter__(self) -> "PolicyServer":
        """Listens in a thread, until `with` ends."""
        listening, failed = threading.Event(), list[BaseException]()

        async def main() -> None:
            self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
            await self.run(self._stop, listening)

        def target() -> None:
            try:
                asyncio.run(main())
            except BaseException as error:
                failed.append(error)
                listening.set()

        self._thread = threading.Thread(target=target, name="gato-serve", daemon=True)
        self._thread.start()
        listening.wait()
        if failed:
            raise failed[0]
        return self

    def __exit__(self, *error: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
