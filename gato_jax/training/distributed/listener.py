"""Where the first process meets the others: a socket on the coordinator's interface that asks for the run's secret.

A caller says hello with the secret and its number. Whoever says something else, or nothing for a while, is shown the
door; nobody is read from before, and nobody keeps the others waiting.
"""

import collections
import hmac
import secrets
import selectors
import socket
import time
from collections.abc import Callable

SECRET_BYTES = 32
NUMBER_BYTES = 4
HELLO_SECONDS = 10.0
MOST_CALLERS = 1024
"""Callers that have not said hello yet; more are not taken in."""


def new_secret() -> bytes:
    """What only the processes of one run know, for as long as it lasts."""
    return secrets.token_bytes(SECRET_BYTES)


def call(host: str, port: int, secret: bytes, number: int, *, seconds: float) -> socket.socket:
    """A connection to a `Listener`, to which hello was said. Raises `OSError` where nobody listens."""
    connection = socket.create_connection((host, port), timeout=seconds)
    connection.sendall(secret + number.to_bytes(NUMBER_BYTES, "big"))
    connection.settimeout(None)
    return connection


class Listener:
    """Listens on one interface of this host.

    Args:
      host: name or address of the interface, which the others call. Where it is none of this host's, as behind a
        forwarding service, all interfaces are listened on.
      secret: what callers must know.
      say: called with a line where that happens, and about each caller that did not know it.

    Attributes:
      host, port: where it listens.
    """

    def __init__(self, host: str, secret: bytes, *, say: Callable[[str], None]):
        self._secret, self._say = secret, say
        server = _bind(host) or _bind("")
        if server is None:
            raise OSError(f"cannot listen on the coordinator's interface {host!r}, nor on any other")
        self._server = server
        self.host, self.port = self._server.getsockname()[:2]
        if self.host in ("0.0.0.0", "::"):
            say(f"the coordinator's address {host!r} is none of this host's: listening on all interfaces")
        self._server.setblocking(False)

    def meet(self, expected: collections.Counter[int], *, seconds: float) -> list[tuple[int, socket.socket]]:
        """Waits for callers, and closes the door.

        Args:
          expected: how often each number calls.
          seconds: how long to wait for all of them.

        Returns:
          (number, connection) of those that came in time, which may not be all.
        """
        missing, met = expected.copy(), []
        deadline = time.monotonic() + seconds
        callers: dict[socket.socket, tuple[bytes, float]] = {}
        with self._server, selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            while missing.total() and time.monotonic() < deadline:
                for key, _ in selector.select(min(1.0, HELLO_SECONDS / 4)):
                    if key.fileobj is self._server:
                        self._take_in(callers, selector)
                        continue
                    connection: socket.socket = key.fileobj  # type: ignore[assignment]
                    if (hello := self._hear(connection, callers)) is None:
                        continue
                    selector.unregister(connection)
                    del callers[connection]
                    number = self._number(hello)
                    if not missing[number]:
                        self._refuse(connection)
                        continue
                    missing[number] -= 1
                    connection.setblocking(True)
                    met.append((number, connection))
                for connection in [one for one, (_, until) in callers.items() if time.monotonic() > until]:
                    selector.unregister(connection)
                    del callers[connection]
                    self._refuse(connection)
            for connection in callers:
                connection.close()
        return met

    def _take_in(self, callers: dict[socket.socket, tuple[bytes, float]], selector: selectors.BaseSelector) -> None:
        try:
            connection, _ = self._server.accept()
        except OSError:  # The caller has gone again.
            return
        if len(callers) >= MOST_CALLERS:
            connection.close()
            return
        connection.setblocking(False)
        callers[connection] = (b"", time.monotonic() + HELLO_SECONDS)
        selector.register(connection, selectors.EVENT_READ)

    def _hear(self, connection: socket.socket, callers: dict[socket.socket, tuple[bytes, float]]) -> bytes | None:
        """All of a caller's hello, or less where it has hung up; None while there is more to come."""
        heard, until = callers[connection]
        size = SECRET_BYTES + NUMBER_BYTES
        try:
            more = connection.recv(size - len(heard))
        except OSError:  # Reset by the caller.
            more = b""
        heard += more
        callers[connection] = (heard, until)
        return heard if not more or len(heard) == size else None

    def _number(self, hello: bytes) -> int:
        """The caller's number; -1 where it does not know the secret."""
        if not hmac.compare_digest(hello[:SECRET_BYTES], self._secret):
            return -1
        return int.from_bytes(hello[SECRET_BYTES:], "big")

    def _refuse(self, connection: socket.socket) -> None:
        try:
            who = connection.getpeername()[0]
        except OSError:  # Gone already.
            who = "somebody"
        connection.close()
        self._say(f"refused a connection from {who}: it is not of this run")


def _bind(host: str) -> socket.socket | None:
    """A server on the first address of `host` that is this host's own; None where none is."""
    try:
        addresses = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return None
    for family, _, _, _, address in addresses:
        try:
            return socket.create_server(address[:2], family=family, backlog=128)
        except OSError:  # Not an address of this host.
            continue
    return None
