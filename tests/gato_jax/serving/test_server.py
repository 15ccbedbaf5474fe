"""A real server and real clients, over real sockets."""

import concurrent.futures
import json
import socket
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
import websockets.exceptions
import websockets.sync.client

import gato_jax
from gato_jax.serving import messages
from gato_jax.serving.client import ServerError

TASK = "metaworld.drawer_close"


@pytest.fixture(scope="module")
def server(agent):
    options = gato_jax.ServerOptions(port=0, clients=4, send_seconds=2)
    with gato_jax.PolicyServer(agent.sibling(), task=TASK, options=options) as server:
        yield server


def get(server, path, **headers):
    request = urllib.request.Request(server.url.replace("ws:", "http:") + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_client_plays_the_agents_episode(server, agent, observe):
    alone = agent.sibling()
    alone.reset(TASK, seeds=[5])
    with gato_jax.PolicyClient(server.url) as client:
        assert client.metadata["tasks"] == agent.tasks
        assert client.metadata["task"] == TASK
        begun = client.reset(seed=5)
        assert (begun.seed, begun.action["shape"]) == (5, [4])
        for number in range(6):
            np.testing.assert_array_equal(client.act(observe(number)), alone.act(observe(number)))


def test_episodes_of_clients_that_come_and_go_are_their_own(server, agent, observe):
    """Four at a time, some of which break off in the middle; each acts as it would alone."""

    def play(number: int) -> None:
        alone = agent.sibling()
        alone.reset(TASK, seeds=[number])
        expected = [alone.act(observe(100 * number + step)) for step in range(6)]
        with ready:
            client = gato_jax.PolicyClient(server.url)
            client.reset(seed=number)
            for step in range(2 if number % 3 == 0 else 6):
                np.testing.assert_array_equal(client.act(observe(100 * number + step)), expected[step])
            if number % 3 == 0:
                client._connection.socket.close()  # Without a word, as where a robot loses power.
            else:
                client.close()

    ready = threading.Semaphore(3)
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        list(threads.map(play, range(1, 10)))


def test_wrong_messages_are_text_and_the_connection_goes_on(server, observe):
    with websockets.sync.client.connect(server.url) as connection:
        connection.recv()
        for wrong in ("hello", b"\xc1", messages.pack({"nothing": 1})):
            connection.send(wrong)
            assert isinstance(connection.recv(), str)
        connection.send(messages.pack(observe(0)))
        assert messages.unpack(connection.recv())["actions"].shape == (1, 4)
    with gato_jax.PolicyClient(server.url) as client, pytest.raises(ServerError, match="expected one of"):
        client.reset("metaworld.nothing")


def test_too_large_a_message_ends_its_connection_alone(server, observe):
    with gato_jax.PolicyClient(server.url) as other, websockets.sync.client.connect(server.url) as connection:
        connection.recv()
        connection.send(bytes(server.options.message_bytes + 1))
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            connection.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert other.act(observe(0)).shape == (4,)


def test_more_clients_than_places_are_refused(server):
    clients = [gato_jax.PolicyClient(server.url) for _ in range(4)]
    with pytest.raises(websockets.exceptions.InvalidStatus, match="503"):
        gato_jax.PolicyClient(server.url)
    for client in clients:
        client.close()


def test_health_metrics_and_the_page(server, observe):
    with gato_jax.PolicyClient(server.url) as client:
        client.act(observe(0))
        assert get(server, "/healthz") == (200, "ok\n")
        status, text = get(server, "/metrics")
        assert status == 200
        assert "gato_clients 1\n" in text
        assert 'quantile="p50"' in text
    status, page = get(server, "/")
    assert (status, TASK in page, "src=http" in page) == (200, True, False)
    assert get(server, "/nothing")[0] == 404


def test_spectators_see_steps(server, observe):
    with websockets.sync.client.connect(server.url + "/live") as page, gato_jax.PolicyClient(server.url) as client:
        action = client.act(observe(3))
        event = json.loads(page.recv(timeout=10))
    assert event["step"] == 1
    np.testing.assert_allclose(event["action"], action, atol=1e-4)
    assert event["values"].keys() == observe(3).keys()


def test_a_page_of_another_site_is_refused(server):
    refused = pytest.raises(websockets.exceptions.InvalidStatus, match="403")
    with refused, websockets.sync.client.connect(server.url, origin="http://elsewhere.example"):
        pass
    own = server.url.replace("ws:", "http:")
    with websockets.sync.client.connect(server.url + "/live", origin=own) as page:
        assert page.ping().wait(10)


def test_the_key(agent):
    options = gato_jax.ServerOptions(port=0, api_key="secret")
    with gato_jax.PolicyServer(agent.sibling(), options=options) as server:
        for wrong in ("", "other"):
            with pytest.raises(websockets.exceptions.InvalidStatus, match="401"):
                gato_jax.PolicyClient(server.url, api_key=wrong)
        with gato_jax.PolicyClient(server.url, api_key="secret") as client:
            with pytest.raises(ServerError, match="none in the first message"):
                client.act({})
            assert client.reset(TASK).task == TASK
        assert get(server, "/healthz")[0] == 200
        assert get(server, "/metrics")[0] == 401
        assert get(server, "/metrics", Authorization="Api-Key secret")[0] == 200


def test_silent_clients_are_dropped(agent):
    options = gato_jax.ServerOptions(port=0, idle_seconds=0.3, clients=2)
    with gato_jax.PolicyServer(agent.sibling(), task=TASK, options=options) as server:
        with gato_jax.PolicyClient(server.url) as silent, pytest.raises(websockets.exceptions.ConnectionClosed):
            silent._connection.recv(timeout=10)
        assert server.statistics.dropped == 1
    assert server.statistics.clients == 0


def test_clients_that_never_read_are_dropped_and_hold_up_nobody(agent, observe):
    """One asks for ever and reads nothing: its answers fill what is between, and then it is gone."""
    options = gato_jax.ServerOptions(port=0, send_seconds=0.5, clients=2)
    with gato_jax.PolicyServer(agent.sibling(), task=TASK, options=options) as server:
        host, port = server.url.removeprefix("ws://").split(":")
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect((host, int(port)))
        key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        upgrade = f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n"
        deaf.sendall(upgrade.encode())
        # Text of 2,000 bytes, masked by zeros; each is answered by an error that says what was found.
        frame = b"\x81\xfe" + (2000).to_bytes(2, "big") + bytes(4) + b"x" * 2000
        deaf.settimeout(20)
        with gato_jax.PolicyClient(server.url, timeout=20) as other, pytest.raises(OSError):  # noqa: PT012, PT011
            for number in range(100_000):
                deaf.sendall(frame)
                if number % 500 == 0:
                    assert other.act(observe(number)).shape == (4,)
        assert server.statistics.dropped == 1
        deaf.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"host": "0.0.0.0"}, "an API key is needed"), ({"clients": 0}, "clients: expected"), ({"port": -1}, "port")],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        gato_jax.ServerOptions(**options)


def test_an_address_in_use_is_an_error(server, agent):
    options = gato_jax.ServerOptions(port=int(server.url.rsplit(":", 1)[1]))
    with pytest.raises(OSError, match="in use"), gato_jax.PolicyServer(agent.sibling(), options=options):
        pass


def test_nothing_listens():
    with pytest.raises(OSError):  # noqa: PT011
        gato_jax.PolicyClient("ws://127.0.0.1:9", timeout=2)
