"""The page read back and compared with the batch it shows."""

import base64
import dataclasses
import html.parser
import importlib.util
import io
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.reports.batch_page import inspect_page
from data_pipelines.reports.batch_page.batches import read_step
from data_pipelines.reports.batch_page.page import page_of
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.vocabulary import TokenType, Vocabulary

_file = importlib.util.spec_from_file_location("recordings", pathlib.Path(__file__).parents[2] / "recordings.py")
recordings = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recordings)
POINT = recordings.POINT
OTHER = dataclasses.replace(POINT, name="control.other")
ROWS, SEGMENTS, STEPS = 8, 2, 5


class Page(html.parser.HTMLParser):
    """Cells (type, id, loss, local position, prompt), padding, pictures and the summary of a page."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.pictures, self.table, self.titles = [], [], [], []
        self._prompt, self._cell = False, None
        self.feed(text)

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        css = (attributes.get("class") or "").split()
        if "row" in css:
            self.rows.append((attributes["data-task"], []))
        elif "step" in css:
            self._prompt = "prompt" in css
        elif "data-padding" in attributes:
            self.rows[-1][1].extend([(0, 0, False, 0, False)] * int(attributes["data-padding"]))
        elif "data-id" in attributes:
            local = re.search(r"; local position (\d+)", attributes["title"])
            kind = next(int(name[1:]) for name in css if name[0] == "k")
            place = (kind, int(attributes["data-id"]), "loss" in css, int(local[1]) if local else 0, self._prompt)
            self.rows[-1][1].append(place)
            self.titles.append(attributes["title"])
        elif tag == "img":
            self.pictures.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(attributes["src"].split(",")[1])))))
        elif tag == "tr":
            self.table.append([])
        elif tag in ("td", "th"):
            self._cell = tag

    def handle_data(self, data):
        if self._cell:
            self.table[-1].append(data)
            self._cell = None


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Two tasks; the action of every step says which episode it is from."""
    root = tmp_path_factory.mktemp("data")
    for spec in (POINT, OTHER):
        episodes = []
        for number in range(12):
            steps = recordings.episode(spec, 9)
            for step in steps:
                step["action"] = step["expert_action"] = np.full(2, number / 20, np.float32)
                step["observation"]["camera"] = np.full((16, 32, 3), 20 * number, np.uint8)
            episodes.append(steps)
        recordings.write(root, spec, episodes, per_file=4)
    tokens = TokenConfig(Vocabulary(1024))
    layout = TimestepLayout.build(POINT, tokens)
    group = RowGroup(
        (POINT.name, OTHER.name), SEGMENTS, STEPS * layout.length + 4, patches=SEGMENTS * STEPS * layout.patches
    )
    stream = StreamConfig(virtual_shards=2, reseed_every=9, shuffle_buffer=2, prompt_share=0.5)
    mixture = MixtureConfig({POINT.name: 3.0, OTHER.name: 1.0}, {"all": group}, ROWS)
    return DataConfig(str(root), tokens, mixture, stream)


@pytest.fixture(scope="module")
def shown(config):
    return read_step(config, 3)


@pytest.fixture(scope="module")
def page(shown):
    return page_of(shown, rows=ROWS)


def test_places_are_those_of_the_batch(page, shown, config):
    batch, read = shown.batch["all"], Page(page)
    assert [task for task, _ in read.rows] == [config.mixture.task_names[number] for number in batch["task_id"]]
    for number, (_, places) in enumerate(read.rows):
        kind, ids, loss, local, _ = map(list, zip(*places, strict=True))
        assert kind == batch["token_type"][number].tolist()
        assert ids == batch["tokens"][number].tolist()
        assert local == batch["observation_position"][number].tolist()
        assert loss == (batch["loss_mask"][number] > 0).tolist()


def test_prompts_are_timesteps_of_another_episode(page, shown, config):
    batch, length = shown.batch["all"], TimestepLayout.build(POINT, config.tokens).length
    prompted = 0
    for number, (_, places) in enumerate(Page(page).rows):
        is_action = batch["token_type"][number] == TokenType.ACTION
        marked = np.array([place[4] for place in places])
        for sequence in range(1, batch["segment_ids"][number].max() + 1):
            own = is_action & (batch["segment_ids"][number] == sequence)
            of_prompt, rest = (set(batch["tokens"][number][own & chosen].tolist()) for chosen in (marked, ~marked))
            assert len(rest) == 1, "what is not a prompt comes from one episode"
            assert not of_prompt & rest
            prompted += bool(of_prompt)
            steps = marked[batch["segment_ids"][number] == sequence].reshape(-1, length)
            assert (steps.all(axis=1) == steps.any(axis=1)).all(), "whole timesteps"
            assert sorted(steps[:, 0].tolist(), reverse=True) == steps[:, 0].tolist(), "in front"
    assert prompted
    rows = [line for line in Page(page).table if line[0].startswith("control")]
    head = Page(page).table[0]
    assert sum(int(line[head.index("prompts")]) for line in rows) == prompted


def test_the_summary_counts_the_whole_batch(page, shown, config):
    table, batch = Page(page).table, shown.batch["all"]
    head, lines = table[0], {line[0]: line for line in table[1:]}
    for number, task in enumerate(config.mixture.task_names):
        own = batch["task_id"] == number
        for kind in TokenType:
            assert lines[task][head.index(kind.name.lower())] == str((batch["token_type"][own] == kind).sum())
        assert lines[task][head.index("rows")] == str(own.sum())
        assert lines[task][head.index("targets")] == str(int(batch["loss_mask"][own].sum()))
        assert lines[task][head.index("of the bound")] == "100.0%"


def test_pictures_are_redrawn(page, shown):
    pictures, batch = Page(page).pictures, shown.batch["all"]
    assert len(pictures) == (batch["token_type"] == TokenType.PATCH).sum() / 2
    assert {picture.shape for picture in pictures} == {(16, 32, 3)}
    # Each frame has the colour of its episode, in the order of the actions, which name the episode too.
    actions = batch["tokens"][batch["token_type"] == TokenType.ACTION].reshape(-1, 2)[:, 0] - 1024
    episodes = np.round(((2 * actions + 1) / 1024 - 1) * 20)
    assert [int(picture[0, 0, 0]) for picture in pictures] == (20 * episodes).tolist()


def test_values_are_named_and_decoded(page):
    titles = Page(page).titles
    assert any(
        re.match(r"place \d+: observation; position\[1\] = 0.0\d+ \(bin \d+\); id \d+", title) for title in titles
    )
    assert any(re.match(r"place \d+: patch; camera patch 0, 1; local position 2;", title) for title in titles)
    for pattern in (
        r"place \d+: observation; position\[1\] = 0.0\d+ \(bin \d+\); id \d+",
        r"place \d+: patch; camera patch 0, 1; local position 2;",
        r"place \d+: observation; cell\[1\]\[0\] = [0-4]; id",
    ):
        assert any(re.match(pattern, title) for title in titles), pattern
    assert re.search(r"action \[0.\d+ 0.\d+\]", page)


def test_it_needs_nothing_from_outside(page):
    assert not re.search(r"https?:|//[a-z]|<script|<link|@import|url\(", page)
    assert "prefers-color-scheme:dark" in page


def test_in_a_browser(page, pages, tmp_path):
    (tmp_path / "batch.html").write_text(page)
    pages(tmp_path / "batch.html")


def test_any_step_seed_or_task(config, page):
    text = inspect_page(config, rows=1, step=4, seed=5, task=OTHER.name)
    assert re.search(r"Batch at step \d+, seed 5<", text)
    other = Page(text)
    assert [task for task, _ in other.rows] == [OTHER.name]
    assert other.rows[0] not in Page(page).rows
    with pytest.raises(ValueError, match=r"expected one of \['control.other', 'control.point'\], found 'control.none'"):
        inspect_page(config, task="control.none")
    with pytest.raises(ValueError, match="at least one row and a step of at least 0, found rows = 0, step = -1"):
        inspect_page(config, rows=0, step=-1)


def test_no_prompts_are_claimed_where_there_are_none(config):
    stream = dataclasses.replace(config.stream, prompt_share=0.0)
    text = inspect_page(dataclasses.replace(config, stream=stream), rows=1)
    assert "this experiment has no prompts" in text
    assert not any(place[4] for _, places in Page(text).rows for place in places)
