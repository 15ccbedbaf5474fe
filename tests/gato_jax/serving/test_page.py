"""The code of docs/serve.md runs, and what it says of openpi's client is so."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import gato_jax

TASK = "metaworld.drawer_close"
PAGE = pathlib.Path(__file__).parents[3] / "docs" / "serve.md"
OPENPI = os.environ.get("GATO_OPENPI_CLIENT", "")
EPISODE = """
import sys
import numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy
policy = WebsocketClientPolicy(host="ws://127.0.0.1", port=int(sys.argv[1]))
items = policy.get_server_metadata()["observation"]
for step in range(30):
    observation = {key: np.full(item["shape"], step / 30, item["dtype"]) for key, item in items.items()}
    reply = policy.infer({**observation, "reset": step == 0, "seed": 4} if step == 0 else observation)
    print(*reply["actions"][0].astype(float), reply["actions"].shape[0])
"""


@pytest.fixture(scope="module")
def server(agent):
    with gato_jax.PolicyServer(agent.sibling(), task=TASK, options=gato_jax.ServerOptions(port=0)) as server:
        yield server


@pytest.mark.skipif(not PAGE.exists(), reason="runs a page of docs/, which an installed wheel does not have")
def test_the_page(server):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    exec(compile(code.replace("ws://127.0.0.1:8000", server.url), str(PAGE), "exec"), names)
    assert names["action"].shape == (4,)


@pytest.mark.skipif(
    not OPENPI, reason="GATO_OPENPI_CLIENT names no folder with openpi-client, which wants NumPy below 2"
)
def test_openpis_client_plays_an_episode(server, agent, spec):
    """In a process of its own, from a folder of its own; the actions are the agent's."""
    import numpy as np

    port = server.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-c", EPISODE, port], env={**os.environ, "PYTHONPATH": OPENPI}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [list(map(float, line.split())) for line in done.stdout.splitlines()]
    alone = agent.sibling()
    alone.reset(TASK, seeds=[4])
    for step, (*action, rows) in enumerate(lines):
        observation = {item.key: np.full(item.shape, step / 30, item.dtype) for item in spec.observation}
        np.testing.assert_array_equal(np.float32(action), np.float32(alone.act(observation)))
        assert rows == 1
    assert len(lines) == 30
