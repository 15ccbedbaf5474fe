"""The page of a server, in a browser, while episodes are played."""

import time

import pytest

import gato_jax
from tests.chromium import Page, needs_chromium

TASK = "metaworld.drawer_close"
DRAWN = """[...document.querySelectorAll('canvas')].every(
  canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(value => value))"""


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(375, True), (1280, False)])
def test_two_clients_are_shown_side_by_side(agent, observe, tmp_path, width, dark):
    options = gato_jax.ServerOptions(port=0)
    with gato_jax.PolicyServer(agent.sibling(), task=TASK, options=options) as server, Page(tmp_path) as page:
        page.open(server.url.replace("ws:", "http:") + "/", width=width, dark=dark)
        page.wait_for("document.getElementById('state').textContent.includes('waiting')")
        with gato_jax.PolicyClient(server.url) as one, gato_jax.PolicyClient(server.url) as two:
            for step in range(6):
                one.act(observe(step))
                two.act(observe(50 + step))
                time.sleep(0.11)
        page.wait_for("document.querySelectorAll('.client').length == 2")
        page.wait_for(DRAWN)
        text = page.run("document.body.innerText")
        assert "step 6" in text
        assert "... (8 of 39)" in text, "what is left out is said"
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(tmp_path / "live.png")
    assert page.complaints == []
