"""The page of a data directory: what it holds, how large it is, and that it plays in a browser."""

import base64
import dataclasses
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from data_pipelines.reports.data_page import data_page, episodes, series
from data_pipelines.reports.data_summary import summarise
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from tests import chromium
from tests.data_pipelines import recordings

POINT = recordings.POINT
LONG = dataclasses.replace(POINT, name="control.long", observation=POINT.observation[1:])
LEVEL, QUESTIONS, TEXT = "babyai.go_to_obj", "vqa.easy_vqa", "text.python_docs"


@pytest.fixture(scope="module")
def data(recorded_data, tmp_path_factory):
    """Recorded tasks, two with a camera and without rewards, and one with a broken picture."""
    root = tmp_path_factory.mktemp("data")
    for name in (LEVEL, QUESTIONS, TEXT):
        shutil.copytree(recorded_data / name, root / name)
    for name in ("format.json", "scores.json", "tokenizer.model"):
        shutil.copy(recorded_data / name, root)
    recordings.write(root, POINT, [recordings.episode(POINT, length) for length in (12, 30, 9)])
    recordings.write(root, LONG, [recordings.episode(LONG, 900)])
    broken = dataclasses.replace(POINT, name="control.broken")
    recordings.write(
        root, broken, [recordings.episode(broken, 3)],
        edit=lambda number, record: record.replace(b"\x89PNG", b"none"),
    )  # fmt: skip
    return root


@pytest.fixture(scope="module")
def summary(data):
    return summarise(data, tokens=TokenConfig(vocabulary=Vocabulary(1024), text_tokens=20), experiment="these tests")


@pytest.fixture(scope="module")
def page(summary):
    return data_page(summary, episodes=2)


def shown(page):
    """Task -> its part of the browser's JSON."""
    text = re.search(r'<script type="application/json" id="episodes">(.*?)</script>', page, re.DOTALL).group(1)
    return {task["task"]: task for task in json.loads(text)}


def values(one):
    """A series as the script unpacks it, [points, values]."""
    codes = np.frombuffer(base64.b64decode(one["data"]), "<u2").reshape(len(one["lo"]), -1).astype(float)
    codes[codes == series.NONE] = np.nan
    low, high = np.array(one["lo"])[:, None], np.array(one["hi"])[:, None]
    unpacked = (low + codes / (series.NONE - 1) * (high - low)).T
    return np.rint(unpacked) if one.get("whole") else unpacked


def test_the_page_is_one_file(page):
    outside = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|<link|@import|src=\"(?!data:)|url\(", outside)


def test_series_are_the_recorded_values(page):
    first = shown(page)[POINT.name]["examples"][0]
    steps = {one["key"]: values(one) for one in first["series"]}
    assert (first["steps"], first["points"]) == (12, 13)
    recorded = recordings.episode(POINT, 12)
    for key in ("position", "cell", "mode", "velocity"):
        expected = np.array([np.ravel(step["observation"][key]) for step in recorded])
        np.testing.assert_allclose(steps[key], expected, atol=1e-5)
    np.testing.assert_allclose(steps["action"][:-1], np.array([step["action"] for step in recorded[:-1]]), atol=1e-5)
    assert np.isnan(steps["action"][-1]).all()
    assert "reward" not in steps  # None is recorded.
    frames = first["frames"][0]["files"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(frames[5].partition(",")[2]))))
    assert len(frames) == 13
    assert (pixels == recorded[5]["observation"]["camera"]).all()


def test_rewards_and_their_sum(page, summary):
    task = next(task for task in summary.tasks if task.task == LEVEL)
    for episode, total in zip(shown(page)[LEVEL]["examples"], task.returns, strict=False):
        steps = {one["key"]: values(one)[:, 0] for one in episode["series"]}
        assert np.nansum(steps["reward"]) == pytest.approx(total, abs=1e-4)
        assert steps["return so far"][-1] == pytest.approx(total, abs=1e-4)


def test_a_rare_reward_survives_thinning():
    rewards = np.zeros(101)
    rewards[[37, 80]] = 1, -2
    assert series.largest(rewards, 10).tolist() == [0, 0, 0, 1, 0, 0, 0, 0, -2, 0, 0]


def test_values_survive_packing():
    table = np.random.default_rng(0).normal(size=(50, 3)) * [1e-6, 1, 1e9]
    table[7, 1] = np.nan
    table[:, 2] = 3.25
    packed = values(series.pack(table))
    np.testing.assert_allclose(packed[:, 0], table[:, 0], atol=1e-10)
    assert np.isnan(packed[7, 1])
    np.testing.assert_allclose(packed[:, 2], 3.25)


def test_what_is_left_out_is_said(page, summary):
    browser = shown(page)
    assert browser[POINT.name]["note"] == "the first 2 of 3 episodes"
    assert browser[LONG.name]["examples"][0]["every"] == 3  # 901 steps at 400 points
    assert len(browser[QUESTIONS]["examples"]) == 8
    assert episodes.cut("x" * (episodes.CHARACTERS + 1234)).endswith("x ... (1,234 more characters)")
    assert re.search(r"control\.broken cannot be shown: .*tfrecord-00000: record 0: a picture is broken", page)
    assert "No rewards are recorded of control.broken, control.long, control.point." in page


def test_the_size_is_bounded(summary, page):
    for share in (0.8, 0.6):
        assert len(data_page(summary, episodes=2, megabytes=share * len(page) / 1e6)) < share * len(page)
    tiny = data_page(summary, episodes=2, megabytes=0.2 * len(page) / 1e6)
    assert "left out to keep the page under" in tiny
    assert len(shown(tiny)) < len(shown(page))


def test_damage_is_shown(data, summary):
    told = dataclasses.replace(summary, problems={LEVEL: ("it is <b>gone</b>",)})
    assert f"{LEVEL}: it is &lt;b&gt;gone&lt;/b&gt;" in data_page(told, episodes=1)


def test_a_simulator_draws_what_holds_no_pictures(summary):
    tasks = tuple(task for task in summary.tasks if task.task in (LEVEL, LONG.name))
    page = data_page(dataclasses.replace(summary, tasks=tasks), episodes=1, draw=True)
    drawn, undrawn = shown(page)[LEVEL]["examples"][0], shown(page)[LONG.name]["examples"][0]
    (frames,) = drawn["frames"]
    assert len(frames["files"]) == -(-drawn["points"] // frames["every"])
    assert len(set(frames["files"])) > 1
    assert f'<img alt="drawn" src="{frames["files"][0]}">' in page  # Among the first frames.
    assert undrawn["about"] == {"not drawn:": "the data have no seed of it"}


@chromium.needs_chromium
def test_it_plays_in_a_browser_at_two_widths(page, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page)
    with chromium.Page(tmp_path / "profile") as browser:
        for width, dark in ((375, True), (1280, False)):
            browser.open(file, width=width, dark=dark, at=f"task={POINT.name}&episode=2")
            assert browser.run("document.documentElement.scrollWidth") == width
            slider, picture = (
                "+document.querySelector('#browser input').value",
                "document.querySelector('.views img').src",
            )
            assert browser.run("document.querySelector('#browser .at').textContent") == "step 0 of 30"
            before = browser.run(picture)
            browser.run("document.querySelector('#browser .player select').value = 4")
            browser.run("document.querySelector('#browser .play').click()")
            browser.wait_for(f"{slider} > 2")
            assert browser.run(picture) != before
            browser.wait_for(f"{slider} == 30 && document.querySelector('#browser .play').textContent == 'Play'")
            assert browser.run("document.querySelector('#browser .at').textContent") == "step 30 of 30"
            for task in shown(page):
                browser.run(f"location.hash = 'task={task}'")
                browser.wait_for(f"document.querySelector('#browser select').value == '{task}'")
        assert browser.complaints == []
