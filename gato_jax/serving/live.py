"""A page that shows the latest episodes of a server while they are played."""

import asyncio
import base64
import contextlib
import io
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import PIL.Image
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from data_pipelines import html_page
from gato_jax.serving.session import RESERVED, Session

PATH = "/live"
SECONDS = 0.1
"""A client's steps are shown at most so often."""
VALUES = 8
"""So many values of an observation or action are shown."""


class Spectators:
    """Pages that watch. Whoever is slow misses steps; nobody waits for them."""

    def __init__(self):
        self._queues: set[asyncio.Queue[str]] = set()
        self._shown: dict[int, float] = {}

    async def watch(self, connection: ServerConnection) -> None:
        """Sends what is shown until the page is closed."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=16)
        self._queues.add(queue)
        sending = asyncio.create_task(_send_all(connection, queue))
        try:
            await connection.wait_closed()  # Also where the server stops while nothing is shown.
        finally:
            self._queues.discard(queue)
            sending.cancel()

    def show(self, number: int, session: Session, message: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Shows one step of a client, if anybody watches and its last was not just now."""
        now = time.monotonic()
        if not self._queues or now - self._shown.get(number, 0.0) < SECONDS:
            return
        self._shown[number] = now
        event = {
            "client": number,
            "episode": session.episode,
            "step": session.step,
            "action": _numbers(reply["actions"][0]),
            "written": _written(reply["actions"][0]),
            "milliseconds": round(reply["server_timing"]["infer_ms"], 2),
            **_seen(message),
        }
        text = json.dumps(event)
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(text)


async def _send_all(connection: ServerConnection, queue: asyncio.Queue[str]) -> None:
    """Sends what is queued; a page that does not read for ten seconds is cut off."""
    with contextlib.suppress(ConnectionClosed):
        try:
            while True:
                await asyncio.wait_for(connection.send(await queue.get()), 10)
        except TimeoutError:
            connection.transport.abort()


def _numbers(value: Any) -> list[float]:
    return [round(float(number), 4) for number in np.ravel(value)[:VALUES]]


def _written(array: np.ndarray) -> str:
    """The first values, and how many there are where these are not all."""
    more = f" ... ({VALUES} of {array.size})" if array.size > VALUES else ""
    return " ".join(f"{number:g}" for number in _numbers(array)) + more


def _seen(message: Mapping[str, Any]) -> dict[str, Any]:
    """The first picture of an observation, and some values of the others."""
    values: dict[str, str] = {}
    picture = None
    for key, value in message.items():
        if key in RESERVED or isinstance(value, (str, Mapping)):
            continue
        array = np.asarray(value)
        if array.ndim == 3 and array.dtype == np.uint8:
            picture = picture or _png(array)
        elif array.dtype.kind in "biuf":
            values[key] = _written(array)
    return {"values": values, "picture": picture}


def _png(array: np.ndarray) -> str:
    image = PIL.Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    image.thumbnail((256, 256))
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


STYLE = """
.clients{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem}
.client canvas{width:100%;height:5rem;display:block}.client img{width:100%;image-rendering:pixelated}
.client pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0;font-size:.8rem}
"""

SCRIPT = """
const clients = new Map(), state = document.getElementById('state');
function card(number) {
  const div = document.createElement('div');
  div.className = 'card client';
  div.innerHTML = '<b></b><img hidden alt="observation"><canvas width=560 height=160></canvas><pre></pre>';
  document.getElementById('clients').append(div);
  return {div, curves: [], number};
}
function draw(canvas, curves) {
  const pen = canvas.getContext('2d'), w = canvas.width, h = canvas.height;
  pen.clearRect(0, 0, w, h);
  const all = curves.flat(), low = Math.min(...all), span = Math.max(...all) - low || 1;
  curves[0].forEach((_, index) => {
    pen.strokeStyle = `hsl(${index * 67 + 150} 45% 45%)`; pen.lineWidth = 2; pen.beginPath();
    curves.forEach((step, x) => pen.lineTo(x * w / 120, h - 6 - (step[index] - low) / span * (h - 12)));
    pen.stroke();
  });
}
function show(event) {
  if (!clients.has(event.client)) clients.set(event.client, card(event.client));
  const one = clients.get(event.client);
  if (one.episode !== event.episode) { one.episode = event.episode; one.curves = []; }
  one.curves.push(event.action); one.curves = one.curves.slice(-120);
  one.div.querySelector('b').textContent =
    `client ${event.client}, episode ${event.episode}, step ${event.step}, ${event.milliseconds} ms`;
  const image = one.div.querySelector('img');
  image.hidden = !event.picture; if (event.picture) image.src = event.picture;
  draw(one.div.querySelector('canvas'), one.curves);
  one.div.querySelector('pre').textContent = 'action ' + event.written + '\\n' +
    Object.entries(event.values).map(([key, values]) => key + ' ' + values).join('\\n');
}
function connect() {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '@PATH@');
  socket.onopen = () => state.textContent = 'connected; waiting for steps';
  socket.onmessage = message => { state.textContent = 'live'; show(JSON.parse(message.data)); };
  socket.onclose = () => { state.textContent = 'the server is gone; trying again'; setTimeout(connect, 2000); };
}
connect();
"""


def page(metadata: Mapping[str, Any]) -> str:
    """The page, whole: it loads nothing from elsewhere."""
    task = metadata.get("task", f"{len(metadata['tasks'])} tasks")
    body = f"<h1>{html_page.breakable(task)}</h1><p id=state>connecting</p><div id=clients class=clients></div>"
    return html_page.document(f"gato serve: {task}", body, style=STYLE, script=SCRIPT.replace("@PATH@", PATH))
