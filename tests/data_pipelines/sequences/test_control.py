"""Windows, prompts, text and picture questions, checked against the recorded episodes they come from."""

import collections
import functools

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.seqio_tasks.deals import Dealer, Part, deal_order
from data_pipelines.seqio_tasks.sources import ImageTextDataSource, RldsDataSource, TextDataSource
from data_pipelines.sequences import control as sequences
from data_pipelines.sequences import image_text as image_text_sequences
from data_pipelines.sequences import text as text_sequences
from data_pipelines.sequences.control import PromptConfig
from data_pipelines.sequences.windows import PLACES, WindowFormat
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.tokenizers.image_text import ImageTextTokenizer
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import TokenType, Vocabulary

TOKENS = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=20)
NO_PROMPTS = PromptConfig(share=0.0, end_share=0.5, timesteps=0, loss=True)


@pytest.fixture(scope="module")
def text(recorded_data):
    return TextTokenizer(recorded_data / "tokenizer.model")


class Recorded:
    """One recorded task: its episodes as NumPy tokens, and the place of every distinct timestep in them."""

    def __init__(self, data, name, text):
        self.task = read_task(data, name)
        self.layout = TimestepLayout.build(self.task.spec, TOKENS)
        self.text = text
        tokenizer = TimestepTokenizer(self.layout, text)
        self.tokens, self.targets = [], []
        for episode in RldsDataSource(self.task).get_dataset(shuffle=False).as_numpy_iterator():
            steps = episode["steps"]
            observation = tokenizer.encode_observation(steps["observation"])
            shown = np.where(observation["segment_ids"], observation["tokens"], -1)
            executed, label = (tokenizer.encode_action(steps[key]) for key in ("action", "expert_action"))
            self.tokens.append(np.concatenate([shown, executed], axis=1)[:-1])
            self.targets.append(np.concatenate([shown, label], axis=1)[:-1])

    @functools.cached_property
    def where(self):
        """Timestep -> the (episode, step) pairs at which it occurs."""
        places = {}
        for number, episode in enumerate(self.tokens):
            for step, row in enumerate(np.maximum(episode, 0)):
                places.setdefault(row.tobytes(), set()).add((number, step))
        return places

    def tokenized(self, part=None):
        dataset = RldsDataSource(self.task).get_dataset(shuffle=False, shard_info=part)
        return sequences.tokenize_episodes(dataset, layout=self.layout, text=TfTextTokenizer(self.text))

    def segments(self, steps, *, passes=1, seed=7, prompts=NO_PROMPTS, pack=True):
        """Windows of some passes: an array [n, 6, steps, length]."""
        dealer = Dealer(self.task, self.task, window=steps, at_a_time=32, stretch=8, prompts=prompts, pack=pack)
        if seed is None:
            plan = dealer.one_pass("train", None, 0, 1)
        else:
            count = dealer.ring("train", seed).windows * passes
            plan = dealer.segment("train", seed, 0, 0, np.zeros(count, int), [0])[0]
        part = Part(0, 1, {name: tf.constant(values) for name, values in plan.items()})
        shape = WindowFormat(task_id=0, length=steps * self.layout.length + 3, frames=0, frame_patches=0)
        dataset = sequences.episode_windows(self.tokenized(part), layout=self.layout, shape=shape, prompts=prompts)
        places = np.stack([segment["places"] for segment in deal_order(dataset, part=part).as_numpy_iterator()])
        assert not places[:, :-1, -3:].any()
        return places[:, :, :-3].reshape(len(places), len(PLACES), steps, -1)


@pytest.fixture(scope="module")
def drawer(recorded_data, text):
    return Recorded(recorded_data, "metaworld.drawer_close", text)


@pytest.fixture(scope="module")
def grid(recorded_data, text):
    return Recorded(recorded_data, "babyai.go_to_obj", text)


def timesteps(recorded, window):
    """For each timestep of a window, where it may come from."""
    return [recorded.where[row.astype(np.int32).tobytes()] for row in window]


@pytest.mark.parametrize("name", ["drawer", "grid"])
def test_whole_episodes_agree_with_numpy(name, request):
    recorded = request.getfixturevalue(name)
    for number, episode in enumerate(recorded.tokenized().as_numpy_iterator()):
        np.testing.assert_array_equal(episode["tokens"], recorded.tokens[number])
        np.testing.assert_array_equal(episode["targets"], recorded.targets[number])


def test_labels_differ_where_actions_were_noisy(drawer):
    differing = [bool((tokens != targets).any()) for tokens, targets in zip(drawer.tokens, drawer.targets, strict=True)]
    assert any(differing)
    assert not all(differing)
    observed = drawer.layout.separator_place + 1
    assert all((a[:, :observed] == b[:, :observed]).all() for a, b in zip(drawer.tokens, drawer.targets, strict=True))


def sequences_of(window):
    """The independent sequences of one window: arrays [6, timesteps, length], without padding."""
    position = window[PLACES.index("position"), :, 0]
    used = window[PLACES.index("token_type"), :, -1] > 0
    starts = np.flatnonzero((position == 0) & used)
    return [window[:, start:stop] for start, stop in zip(starts, [*starts[1:], used.sum()], strict=True)]


def whole_run(recorded, tokens):
    """Where the timesteps may come from as consecutive ones of one episode: (episode, first step) pairs."""
    return set.intersection(*({(e, s - j) for e, s in at} for j, at in enumerate(timesteps(recorded, tokens))))


@pytest.mark.parametrize("name", ["drawer", "grid"])
@pytest.mark.parametrize("steps", [1, 4, 37])
def test_windows_are_full_and_lose_no_timestep(name, steps, request):
    recorded = request.getfixturevalue(name)
    windows = recorded.segments(steps, passes=2)
    total = sum(map(len, recorded.tokens))
    used = windows[:, PLACES.index("token_type"), :, -1] > 0
    assert (~used).sum() <= 2 * (steps - 1), "one window of a pass may be shorter"
    dealt = collections.Counter(map(bytes, windows[:, 0][used].astype(np.int32)))
    recorded_once = collections.Counter(map(bytes, np.maximum(np.concatenate(recorded.tokens), 0).astype(np.int32)))
    assert dealt.keys() == recorded_once.keys()
    assert all(dealt[step] >= 2 * count - (len(windows) * steps < 2 * total) for step, count in recorded_once.items())
    assert abs(dealt.total() - 2 * total) <= 2 * steps


@pytest.mark.parametrize("name", ["drawer", "grid"])
def test_a_sequence_is_consecutive_timesteps_of_one_episode_without_the_dummy_step(name, request):
    recorded, steps, layout = request.getfixturevalue(name), 6, request.getfixturevalue(name).layout
    seen, shared, missing = set(), 0, 0
    for window in recorded.segments(steps, passes=6):
        parts = sequences_of(window)
        missing += steps - sum(part.shape[1] for part in parts)
        shared += len(parts) > 1
        for tokens, targets, kinds, local, loss, position in parts:
            candidates, count = whole_run(recorded, tokens), len(tokens)
            assert candidates
            assert any((np.maximum(recorded.targets[e][s : s + count], 0) == targets).all() for e, s in candidates)
            seen |= {(e, s + j) for e, s in candidates for j in range(count)}
            used = kinds > 0
            assert (kinds == np.tile(layout.token_type, (count, 1)))[used].all()
            assert (local == np.tile(layout.observation_position, (count, 1)))[used].all()
            assert (loss == np.tile(layout.loss_mask, (count, 1)))[used].all()
            assert position.ravel().tolist() == list(range(count * layout.length))
    assert shared
    assert missing <= 6 * (steps - 1), "one window of a pass may be shorter"
    assert seen == {(e, s) for e, episode in enumerate(recorded.tokens) for s in range(len(episode))}


def test_windows_begin_at_all_steps_of_an_episode(drawer):
    steps = 4
    starts = collections.Counter()
    for window in drawer.segments(steps, passes=24):
        for part in sequences_of(window):
            if part.shape[1] == steps and len(starts_of_run := whole_run(drawer, part[0])) == 1:
                starts[next(iter(starts_of_run))[1] % steps] += 1
    share = np.array([starts[phase] for phase in range(steps)]) / starts.total()
    assert abs(share - 1 / steps).max() < 0.05


def test_unpacked_windows_hold_one_sequence_and_padding(grid):
    steps = 1 + max(map(len, grid.tokens))
    segments = grid.segments(steps, pack=False)
    assert len(segments) == len(grid.tokens)
    lengths = sorted(int((kinds[:, -1] > 0).sum()) for _, _, kinds, _, _, _ in segments)
    assert lengths == sorted(map(len, grid.tokens))
    for window in segments:
        tokens, targets, kinds, local, loss, _ = window
        padding = kinds == TokenType.PADDING
        assert not any(row[padding].any() for row in (tokens, targets, local, loss))
        assert len(sequences_of(window)) == 1


@pytest.mark.parametrize("pack", [True, False])
def test_validation_keeps_every_timestep_once(grid, pack):
    segments = grid.segments(3, seed=None, pack=pack)
    dealt = [row for window in segments for part in sequences_of(window) for row in part[0]]
    assert [row.tolist() for row in dealt] == np.maximum(np.concatenate(grid.tokens), 0).tolist()


@pytest.mark.parametrize("share", [0.25, 1.0])
@pytest.mark.parametrize("loss_on_prompts", [True, False])
def test_prompts(drawer, share, loss_on_prompts):
    """A sequence is one run of an episode, perhaps after a prompt from another episode."""
    steps = 8
    prompts = PromptConfig(share=share, end_share=0.5, timesteps=0, loss=loss_on_prompts)
    windows = drawer.segments(steps, passes=12, prompts=prompts)
    used = windows[:, PLACES.index("token_type"), :, -1] > 0
    assert used.mean() > 0.98
    count = prompted = prompts_of_any_length = from_end = 0
    for window in windows:
        prompt_steps = 0
        for tokens, _, _, _, loss, _ in sequences_of(window):
            size, whole = len(tokens), whole_run(drawer, tokens)
            if whole:
                assert loss.any(axis=1).all()
                continue
            split = next(
                at
                for at in range(size // 2, 0, -1)
                if whole_run(drawer, tokens[:at]) and whole_run(drawer, tokens[at:])
            )
            prompt, rest = whole_run(drawer, tokens[:split]), whole_run(drawer, tokens[split:])
            assert {episode for episode, _ in prompt} != {episode for episode, _ in rest}
            np.testing.assert_array_equal(loss.any(axis=1), [loss_on_prompts] * split + [True] * (size - split))
            prompt_steps += split
            if size == steps:
                assert split == steps // 2
                from_end += any(start + split == len(drawer.tokens[episode]) for episode, start in prompt)
                prompted += 1
        assert prompt_steps in (0, steps // 2), "half of a window with prompts is prompts"
        count, prompts_of_any_length = count + 1, prompts_of_any_length + (prompt_steps > 0)
    assert abs(prompts_of_any_length / count - share) <= 64 / count
    assert 0.5 - 4 * 0.5 / prompted**0.5 < from_end / prompted < 0.5 + 4 * 0.5 / prompted**0.5 + 0.1


@pytest.fixture(scope="module")
def documents(recorded_data):
    source = TextDataSource(read_task(recorded_data, "text.python_docs")).get_dataset("validation", shuffle=False)
    return [example["text"] for example in source.as_numpy_iterator()]


def test_text_twins_agree(text, documents):
    """The libraries break ties between equally good segmentations differently, as in a long line of stars."""
    for document, ids in zip(documents, TfTextTokenizer(text).encode(documents), strict=True):
        other = text.encode(document.decode())
        assert text.decode(ids.numpy()) == text.decode(other) == document.decode()
        assert sorted(ids.numpy()) == sorted(other)
        assert (ids.numpy() == other).mean() > 0.9


def test_text_segments_are_the_documents(recorded_data, text, documents):
    task, length, twin = read_task(recorded_data, "text.python_docs"), 64, TfTextTokenizer(text)
    stream = [token for ids in twin.encode(documents) for token in [*ids.numpy().tolist(), text.eos]]

    def segments(seed):
        source = TextDataSource(task).get_dataset("validation", shuffle=False)
        batches = text_sequences.tokenize_documents(source, text=twin, documents=3 if seed is None else len(documents))
        dataset = text_sequences.text_windows(batches, shape=WindowFormat(0, length, 0, 0), seed=seed)
        return np.stack([segment["places"] for segment in dataset.as_numpy_iterator()])

    tokens, targets, kinds, local, loss, position = segments(None).transpose(1, 0, 2)
    used = kinds.ravel() == TokenType.TEXT
    assert tokens.ravel()[used].tolist() == stream
    assert used[: len(stream)].all()
    np.testing.assert_array_equal(tokens, targets)
    np.testing.assert_array_equal(loss.ravel(), used)
    assert not local.any()
    ends = np.flatnonzero(np.array(stream) == text.eos) + 1
    begins = {0, *ends.tolist(), *range(0, len(stream), length)} - {len(stream)}
    assert set(np.flatnonzero(position.ravel()[: len(stream)] == 0).tolist()) == begins
    crop = segments(tf.constant(5, tf.int64))[:, 0].ravel().tolist()
    start = next(i for i in range(len(stream)) if stream[i : i + length] == crop[:length])
    assert crop == stream[start : start + len(crop)]
    assert len(stream) - start - len(crop) < length


def test_unpacked_documents_have_segments_of_their_own(recorded_data, text, documents):
    length, twin = 64, TfTextTokenizer(text)
    source = TextDataSource(read_task(recorded_data, "text.python_docs")).get_dataset("validation", shuffle=False)
    batches = text_sequences.tokenize_documents(source, text=twin, documents=3)
    shape, seed = WindowFormat(0, length, 0, 0), tf.constant(5, tf.int64)
    dataset = text_sequences.text_windows(batches, shape=shape, seed=seed, pack=False)
    rows = [segment["places"][0][segment["places"][2] > 0].tolist() for segment in dataset.as_numpy_iterator()]
    expected = []
    for ids in twin.encode(documents):
        document = [*ids.numpy().tolist(), text.eos]
        expected += [document[at : at + length] for at in range(0, len(document), length)]
    assert sorted(rows) == sorted(expected)


@pytest.mark.parametrize("pairs", [1, 5])
def test_picture_questions_agree_with_numpy(recorded_data, text, pairs):
    task, length = read_task(recorded_data, "vqa.easy_vqa"), 48 if pairs == 1 else 250
    source = ImageTextDataSource(task)
    dataset = image_text_sequences.pair_windows(
        source.get_dataset(shuffle=False).take(10),
        task=task.name,
        text=TfTextTokenizer(text),
        shape=WindowFormat(0, length, pairs, 16),
        pairs=pairs,
        image_shape=(64, 64),
        max_positions=512,
        question_loss=True,
        seed=None,
    )
    tokenizer = ImageTextTokenizer(TOKENS, text)
    examples = list(source.get_dataset(shuffle=False).take(10).as_numpy_iterator())
    segments = list(dataset.as_numpy_iterator())
    assert len(segments) == 10 // pairs
    for number, segment in enumerate(segments):
        tokens, targets, kinds, position, loss, _ = segment["places"]
        start = 0
        for index, example in enumerate(examples[number * pairs : (number + 1) * pairs]):
            assert segment["frames"][index] == example["image"]
            image = tf.io.decode_image(example["image"]).numpy()
            question, answer = example["question"].decode(), example["answer"].decode()
            pair, prefix = tokenizer.encode_pair(image, question, answer), tokenizer.encode_prefix(image, question)
            window = slice(start, start + len(pair["tokens"]))
            np.testing.assert_array_equal(targets[window], pair["tokens"])
            np.testing.assert_array_equal(kinds[window], pair["token_type"])
            np.testing.assert_array_equal(position[window], pair["observation_position"])
            np.testing.assert_array_equal(loss[window], pair["token_type"] == TokenType.TEXT)
            np.testing.assert_array_equal(tokens[window][:16], index * 16 + np.arange(16))
            np.testing.assert_array_equal(pair["tokens"][: len(prefix["tokens"])], prefix["tokens"])
            assert pair["tokens"][-1] == text.eos
            start = window.stop
        assert not kinds[start:].any()


def test_a_long_picture_question_is_an_error_and_several_are_cropped(recorded_data, text):
    task = read_task(recorded_data, "vqa.easy_vqa")

    def segments(pairs, length):
        dataset = image_text_sequences.pair_windows(
            ImageTextDataSource(task).get_dataset(shuffle=False),
            task=task.name,
            text=TfTextTokenizer(text),
            shape=WindowFormat(0, length, pairs, 16),
            pairs=pairs,
            image_shape=(64, 64),
            max_positions=512,
            question_loss=True,
            seed=tf.constant(3, tf.int64),
        )
        return np.stack([segment["places"] for segment in dataset.as_numpy_iterator()])

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"vqa.easy_vqa.*window_length = 20"):
        segments(1, 20)
    cropped = segments(5, 60)[:-1]
    # At least the 60 - 15 places in front of a picture that would be cut.
    assert (cropped[:, PLACES.index("token_type")] > 0).sum(axis=1).min() >= 45
    assert len({tuple(row[PLACES.index("observation_position")][:1]) for row in cropped}) > 1
