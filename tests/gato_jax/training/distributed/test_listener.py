"""The door of the first process: who is let in, who is not, and that nobody keeps the others waiting."""

import collections
import socket
import threading

import pytest

from gato_jax.training.distributed import listener as door
from gato_jax.training.distributed.listener import Listener, call, new_secret


@pytest.fixture
def listening(monkeypatch):
    """A listener that waits for number 1 and a witness, its secret, what it said, and a function that ends the wait."""
    monkeypatch.setattr(door, "HELLO_SECONDS", 0.3)
    said, met, secret = [], [], new_secret()
    listener = Listener("localhost", secret, say=said.append)
    expected = collections.Counter({0: 1, 1: 1})
    thread = threading.Thread(target=lambda: met.extend(listener.meet(expected, seconds=5)))
    thread.start()

    def end():
        thread.join(10)
        assert not thread.is_alive()
        numbers = sorted(number for number, _ in met)
        for _, connection in met:
            connection.close()
        return numbers

    yield listener, secret, said, end
    thread.join(10)


def test_those_who_know_the_secret_are_let_in(listening):
    listener, secret, said, end = listening
    callers = [call("localhost", listener.port, secret, number, seconds=5) for number in (1, 0)]
    assert end() == [0, 1]
    assert said == []
    for caller in callers:
        caller.close()


def test_strangers_are_refused_and_keep_nobody_waiting(listening):
    """A wrong secret, half a hello, silence, a caller of a number that nobody has, and one that calls twice."""
    listener, secret, said, end = listening
    silent = socket.create_connection(("localhost", listener.port))
    half = socket.create_connection(("localhost", listener.port))
    half.sendall(secret[:7])
    wrong = call("localhost", listener.port, new_secret(), 1, seconds=5)
    nobody = call("localhost", listener.port, secret, 7, seconds=5)
    first = call("localhost", listener.port, secret, 1, seconds=5)
    twice = call("localhost", listener.port, secret, 1, seconds=5)
    for caller in (wrong, nobody, twice, silent, half):
        caller.settimeout(5)
        assert caller.recv(1) == b"", "the door stays open"
        caller.close()
    last = call("localhost", listener.port, secret, 0, seconds=5)
    assert end() == [0, 1]
    assert len(said) == 5
    assert all("it is not of this run" in line for line in said)
    first.close()
    last.close()


def test_it_listens_on_the_interface_it_is_called_by():
    said = []
    listener = Listener("127.0.0.1", new_secret(), say=said.append)
    assert listener.host == "127.0.0.1"
    assert listener.meet(collections.Counter({1: 1}), seconds=0) == []
    assert said == []
    elsewhere = Listener("192.0.2.1", new_secret(), say=said.append)  # TEST-NET-1, nobody's
    assert elsewhere.host in ("0.0.0.0", "::")
    assert said == ["the coordinator's address '192.0.2.1' is none of this host's: listening on all interfaces"]
    elsewhere.meet(collections.Counter(), seconds=0)
