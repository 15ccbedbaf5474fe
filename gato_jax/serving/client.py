"""A client of `gato serve`. Needs neither JAX nor the weights: `pip install websockets msgpack numpy` and two files."""

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import websockets.sync.client

from gato_jax.serving import messages


class ServerError(RuntimeError):
    """The server's answer was an error; its text is the message."""


@dataclasses.dataclass(frozen=True)
class Begun:
    """A new episode.

    Args:
      task: its name.
      observation: what each observation has to hold, by key: "kind", "shape", "dtype".
      action: the same of an action, with its legal range.
      seed: which decides what the agent draws.
    """

    task: str
    observation: Mapping[str, Mapping[str, Any]]
    action: Mapping[str, Any]
    seed: int


class PolicyClient:
    """Asks a server for actions; a connection is one client with episodes of its own.

    Args:
      url: such as "ws://127.0.0.1:8000".
      api_key: where the server asks for one.
      timeout: seconds to wait for the connection, and for each answer.

    Attributes:
      metadata: what the server said on connect: its tasks, and the task of clients that name none.

    Raises:
      OSError: nothing listens there.
      websockets.exceptions.InvalidStatus: the key is wrong (401), or all places are taken (503).

    Examples:
      >>> import gato_jax
      >>> agent = gato_jax.Agent.load("run", data="data")
      >>> with gato_jax.PolicyServer(agent, options=gato_jax.ServerOptions(port=0)) as server:
      ...     with gato_jax.PolicyClient(server.url) as client:
      ...         client.reset("metaworld.drawer_close", seed=3).action["shape"]
      [4]
    """

    def __init__(self, url: str = "ws://127.0.0.1:8000", *, api_key: str = "", timeout: float = 60.0):
        headers = {"Authorization": f"Api-Key {api_key}"} if api_key else None
        self._timeout = timeout
        connection = websockets.sync.client.connect(
            url, compression=None, max_size=None, additional_headers=headers, open_timeout=timeout
        )
        with contextlib.ExitStack() as stack:
            self._connection = stack.enter_context(connection)
            self.metadata: Mapping[str, Any] = self._received()
            self._stack = stack.pop_all()

    def reset(self, task: str | None = None, *, seed: int | None = None) -> Begun:
        """Begins an episode: of the task, or of the one before, or the server's own.

        Raises:
          ServerError: no such task.
        """
        more = {name: value for name, value in (("task", task), ("seed", seed)) if value is not None}
        reply = self._ask({"reset": True, **more})
        return Begun(**{field.name: reply[field.name] for field in dataclasses.fields(Begun)})

    def act(self, observation: Mapping[str, Any]) -> np.ndarray:
        """The action for an observation, in the task's own shape and dtype.

        Raises:
          ServerError: the observation is not what the task's spec says; no finite action.
          TimeoutError: no answer within `timeout`.
        """
        return self._ask(observation)["actions"][0]

    def close(self) -> None:
        """Ends the connection, and with it the episode."""
        self._stack.close()

    def __enter__(self) -> "PolicyClient":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._connection.send(messages.pack(message))
        return self._received()

    def _received(self) -> dict[str, Any]:
        reply = self._connection.recv(timeout=self._timeout)
        if isinstance(reply, str):
            raise ServerError(reply)
        return messages.unpack(reply)
