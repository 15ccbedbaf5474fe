"""The processes of a run: who they are, who is missing at a barrier, and a quick end when one of them dies.

JAX notices a dead process by missing heartbeats after 100 s and then aborts the others from C++; collectives hang until
then, or fail with an address. So every process keeps a connection to the first one, which the kernel closes as soon as
either end dies, however it dies. Whoever learns of a death waits a moment for its own loop to fail, names the dead
process, and ends: a run that has lost a process cannot go on, and its checkpoints are whole.

Lines on a connection: "stop", "lost <index> <reason>", "bye". The first process passes on the first two.
"""

import collections
import os
import selectors
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import jax
from jax._src import distributed  # The key-value store and barriers with a limit have no public name yet.

from gato_jax.training.distributed.leader_monitor import FAREWELL, Witness
from gato_jax.training.distributed.listener import Listener, call, new_secret

GRACE_SECONDS = 3.0
EXIT_CODE = 1
ADVICE = "The last checkpoint is whole: start the same command again, on any number of processes."


class Missing(RuntimeError):
    """Some processes did not come to a barrier in time; the message names them."""


class Peers:
    """Context manager that watches the other processes; does nothing where there is one process.

    Args:
      wait_seconds: limit of each barrier.

    Attributes:
      on_stop: called in a thread of its own on every process after one of them has asked to stop.
    """

    def __init__(self, *, wait_seconds: float):
        self._wait = wait_seconds
        self._count, self._index = jax.process_count(), jax.process_index()
        self._names = {self._index: f"{socket.gethostname()}, pid {os.getpid()}"}
        self._sockets: dict[int, socket.socket] = {}
        self._witness: Witness | None = None
        self._witnesses: list[socket.socket] = []  # Those of the others, at the first process.
        self._lost: str | None = None
        self._is_lost, self._closed, self._stopping = (threading.Event() for _ in range(3))
        self.on_stop: Callable[[], None] = lambda: None

    def name(self, index: int) -> str:
        """Such as "process 1 (host-b, pid 77)"."""
        return f"process {index} ({self._names.get(index, 'unknown host')})"

    def __enter__(self) -> "Peers":
        if self._count == 1:
            return self
        client = _client()
        client.key_value_set(f"gato/name/{self._index}", self._names[self._index])
        if self._index == 0:
            secret = new_secret()
            listener = Listener(_leader_host(), secret, say=_say)
            # Only the processes of the run can ask JAX's coordination service.
            client.key_value_set("gato/watch", f"{listener.port} {secret.hex()}")
        self.barrier("start")
        self._names = {i: client.blocking_key_value_get(f"gato/name/{i}", 10_000) for i in range(self._count)}
        if self._index == 0:
            self._meet(listener)
        else:
            self._sockets[0] = self._connect(self._index)
            with self._connect(0) as connection:
                gone = f"\ngato train: {self.name(0)} is gone. {self.name(self._index)} ends too. {ADVICE}"
                self._witness = Witness(connection, gone)
        threading.Thread(target=self._watch, name="peers", daemon=True).start()
        return self

    def _meet(self, listener: Listener) -> None:
        """Waits for each of the others, and for its witness, which has the number 0."""
        expected = collections.Counter({0: self._count - 1, **dict.fromkeys(range(1, self._count), 1)})
        for number, connection in listener.meet(expected, seconds=self._wait):
            if number:
                self._sockets[number] = connection
            else:
                self._witnesses.append(connection)
        if missing := [self.name(index) for index in range(1, self._count) if index not in self._sockets]:
            where = f"{listener.host}:{listener.port}"
            raise Missing(f"after {self._wait:.0f} s not connected to process 0 at {where}: {', '.join(missing)}")

    def _connect(self, number: int) -> socket.socket:
        """A connection to the first process, for the process of this index, or for a witness if 0."""
        port, secret = str(_client().blocking_key_value_get("gato/watch", 10_000)).split()
        return call(_leader_host(), int(port), bytes.fromhex(secret), number, seconds=self._wait)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._count == 1:
            return
        if error is not None:
            # The death of another process looks like many errors here; the kernel tells which it was.
            if self._is_lost.wait(GRACE_SECONDS / 2):
                self._end(f"{type(error).__name__}: {error}")
            self._tell(f"lost {self._index} failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        self._closed.set()
        self._tell("bye")
        self._dismiss()

    def barrier(self, name: str) -> None:
        """Waits for all processes. Raises `Missing` naming those that are not there within the limit."""
        self.largest(name, 0)

    def largest(self, name: str, value: int) -> int:
        """Waits for all processes, and returns the largest of their values. Raises `Missing` as `barrier` does."""
        if self._count == 1:
            return value
        client = _client()
        client.key_value_set(f"gato/barrier/{name}/{self._index}", str(value))
        read_entries = lambda: client.key_value_dir_get(f"gato/barrier/{name}")  # noqa: E731
        try:
            client.wait_at_barrier(f"gato/{name}", int(1000 * self._wait))
        except jax.errors.JaxRuntimeError as error:
            here = {int(key.rpartition("/")[2]) for key, _ in read_entries()}
            missing = ", ".join(self.name(index) for index in range(self._count) if index not in here)
            raise Missing(
                f"barrier {name!r}: after {self._wait:.0f} s still missing: {missing or 'nobody, but it failed'} "
                f"({error})"
            ) from error
        return max(int(one) for _, one in read_entries())

    def tell_where(self, text: str) -> dict[str, str]:
        """Says where this process is, and returns what all processes that stall have said: {process: text}."""
        if self._count == 1:
            return {}
        client = _client()
        client.key_value_set(f"gato/where/{self._index}", text, allow_overwrite=True)
        entries = dict(client.key_value_dir_get("gato/where"))
        said = {int(key.rpartition("/")[2]): value for key, value in entries.items()}
        return {self.name(i): said.get(i, "does not say that it stalls") for i in range(self._count)}

    def ask_to_stop(self) -> None:
        """Has `on_stop` called on all processes, once however many ask."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._tell("stop")
            threading.Thread(target=self.on_stop, name="stop", daemon=True).start()

    def _watch(self) -> None:
        selector = selectors.DefaultSelector()
        for index, connection in self._sockets.items():
            selector.register(connection, selectors.EVENT_READ, index)
        while selector.get_map() and self._lost is None:
            for key, _ in selector.select():
                for line in _receive(self._sockets[key.data]) or [f"lost {key.data} is gone"]:
                    word, _, text = line.partition(" ")
                    if word == "bye":
                        selector.unregister(key.fileobj)
                        break
                    if word == "stop":
                        self.ask_to_stop()
                    elif self._lost is None:
                        number, _, reason = text.partition(" ")
                        self._lost = f"{self.name(int(number))} {reason}"
                        if self._index == 0:
                            self._tell(line, but=int(number))
        if self._lost is None:
            return
        self._is_lost.set()
        if self._witness is not None and self._lost == f"{self.name(0)} is gone":
            self._witness.speak()  # JAX is about to abort this process, whatever its loop does.
            os._exit(EXIT_CODE)
        if not self._closed.wait(GRACE_SECONDS):
            self._end("it was waiting for the others")

    def _tell(self, line: str, but: int = -1) -> None:
        for index, connection in self._sockets.items():
            if index != but:
                _send(connection, f"{line}\n".encode())

    def _dismiss(self) -> None:
        for connection in self._witnesses:
            _send(connection, FAREWELL)
        if self._witness is not None:
            self._witness.dismiss()

    def _end(self, here: str) -> None:
        """Ends this process at once: JAX's own shutdown would wait for the dead one."""
        print(
            f"\ngato train: {self._lost}. {self.name(self._index)} ends too ({' '.join(here.split())[:300]}). {ADVICE}",
            file=sys.stderr,
            flush=True,
        )
        sys.stdout.flush()
        self._dismiss()
        if self._index == 0:  # JAX aborts the others when the first process ends: they go first.
            for connection in self._sockets.values():
                connection.settimeout(2 * GRACE_SECONDS)
                while _receive(connection):
                    pass
        os._exit(EXIT_CODE)


def _client() -> Any:
    """JAX's connection to its coordination service."""
    return distributed.global_state.client


def _leader_host() -> str:
    """The coordinator's host, as the processes of the run call it."""
    return str(distributed.global_state.coordinator_address).rpartition(":")[0].strip("[]")


def _say(text: str) -> None:
    print(f"gato train: {text}", file=sys.stderr, flush=True)


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:  # It is gone too, and whoever reads from it has seen that.
        return


def _receive(connection: socket.socket) -> list[str]:
    """The lines that have come, none at the end of the connection. Each is sent whole, in one small packet."""
    try:
        return connection.recv(4096).decode().splitlines()
    except OSError:  # Reset by a process that was killed.
        return []
