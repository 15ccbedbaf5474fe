"""Windows, prompts, text and picture questions, checked against the recorded episodes they come from."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import image_text_sequences, language_sequences, sequences
from data_pipelines.directories import read_task
from data_pipelines.image_text import ImageTextTokenizer
from data_pipelines.sequences import PLACES, PromptConfig, SegmentFormat
from data_pipelines.sources import ImageTextDataSource, RldsDataSource, TextDataSource
from data_pipelines.timestep import TimestepLayout, TimestepTokenizer, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
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
        found = {}
        for number, episode in enumerate(self.tokens):
            for step, row in enumerate(np.maximum(episode, 0)):
                found.setdefault(row.tobytes(), set()).add((number, step))
        return found

    def episodes(self):
        text = TfTextTokenizer(self.text)
        dataset = RldsDataSource(self.task).get_dataset(shuffle=False)
        return sequences.tokenize_episodes(dataset, layout=self.layout, text=text)

    def segments(self, steps, *, repeat=1, seed=7, prompts=NO_PROMPTS):
        """Arrays [n, 5, steps, length], and lengths of whole windows."""
        shape = SegmentFormat(task_id=0, length=steps * self.layout.length + 3, frames=0, frame_patches=0)
        dataset = sequences.episode_segments(
            self.episodes().repeat(repeat),
            layout=self.layout,
            shape=shape,
            prompts=prompts,
            seed=None if seed is None else tf.constant(seed, tf.int64),
            interleaved=3,
        )
        places = np.stack([segment["places"] for segment in dataset.as_numpy_iterator()])
        assert not places[:, :, -3:].any()
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
    for number, episode in enumerate(recorded.episodes().as_numpy_iterator()):
        np.testing.assert_array_equal(episode["tokens"], recorded.tokens[number])
        np.testing.assert_array_equal(episode["targets"], recorded.targets[number])


def test_labels_differ_where_actions_were_noisy(drawer):
    differing = [bool((tokens != targets).any()) for tokens, targets in zip(drawer.tokens, drawer.targets, strict=True)]
    assert any(differing)
    assert not all(differing)
    observed = drawer.layout.separator_place + 1
    assert all((a[:, :observed] == b[:, :observed]).all() for a, b in zip(drawer.tokens, drawer.targets, strict=True))


def test_windows_are_consecutive_timesteps_and_skip_the_dummy_step(drawer):
    steps = 4
    segments = drawer.segments(steps, repeat=6)
    seen = set()
    for tokens, targets, kinds, position, loss in segments:
        candidates = set.intersection(*({(e, s - j) for e, s in at} for j, at in enumerate(timesteps(drawer, tokens))))
        assert candidates
        assert any((drawer.targets[e][s : s + steps] == targets).all() for e, s in candidates)
        seen |= candidates
        np.testing.assert_array_equal(kinds, np.tile(drawer.layout.token_type, (steps, 1)))
        np.testing.assert_array_equal(position, np.tile(drawer.layout.observation_position, (steps, 1)))
        np.testing.assert_array_equal(loss, np.tile(drawer.layout.loss_mask, (steps, 1)))
    assert {start % steps for _, start in seen} == set(range(steps))
    assert {number for number, _ in seen} == set(range(len(drawer.tokens)))


def test_short_episodes_are_padded(grid):
    steps = 1 + max(map(len, grid.tokens))
    segments = grid.segments(steps)
    assert len(segments) == len(grid.tokens)
    lengths = sorted(int((kinds[:, -1] > 0).sum()) for _, _, kinds, _, _ in segments)
    assert lengths == sorted(map(len, grid.tokens))
    for tokens, targets, kinds, position, loss in segments:
        padding = kinds == TokenType.PADDING
        assert not any(row[padding].any() for row in (tokens, targets, position, loss))


def test_validation_keeps_every_timestep_once(grid):
    segments = grid.segments(3, seed=None)
    assert sum(int((kinds[:, -1] > 0).sum()) for _, _, kinds, _, _ in segments) == sum(map(len, grid.tokens))


@pytest.mark.parametrize("loss_on_prompts", [True, False])
def test_prompts(drawer, loss_on_prompts):
    steps, share = 8, 0.25
    prompts = PromptConfig(share=share, end_share=0.5, timesteps=0, loss=loss_on_prompts)
    segments = drawer.segments(steps, repeat=12, prompts=prompts)
    prompted = from_end = 0
    for tokens, _, _, _, loss in segments:
        at = timesteps(drawer, tokens)
        first, second = at[: steps // 2], at[steps // 2 :]
        whole = set.intersection(*({(e, s - j) for e, s in places} for j, places in enumerate(at)))
        if whole:
            assert loss.any(axis=1).all()
            continue
        prompted += 1
        prompt = set.intersection(*({(e, s - j) for e, s in places} for j, places in enumerate(first)))
        rest = set.intersection(*({(e, s - j) for e, s in places} for j, places in enumerate(second)))
        assert prompt
        assert rest
        assert {episode for episode, _ in prompt} != {episode for episode, _ in rest}
        from_end += any(start + steps // 2 == len(drawer.tokens[episode]) for episode, start in prompt)
        np.testing.assert_array_equal(loss.any(axis=1), [loss_on_prompts] * (steps // 2) + [True] * (steps // 2))
    count = len(segments)
    assert abs(prompted / count - share) < 4 * (share * (1 - share) / count) ** 0.5
    assert 0.5 - 4 * 0.5 / prompted**0.5 < from_end / prompted < 0.5 + 4 * 0.5 / prompted**0.5 + 0.1


def test_partners_are_other_episodes():
    episodes = [0, 1, 2, 2, 0, 1, 1, 2]  # Two epochs and a half, as shuffling may order them.
    dataset = tf.data.Dataset.from_tensor_slices({"example_id": tf.constant(episodes, tf.int64)})
    pairs = [(int(own["example_id"]), int(other["example_id"])) for own, other in sequences.with_partner(dataset)]
    assert [own for own, _ in pairs] == episodes[1:]
    assert all(own != other for own, other in pairs)


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
        dataset = language_sequences.text_segments(
            TextDataSource(task).get_dataset("validation", shuffle=False),
            text=twin,
            shape=SegmentFormat(0, length, 0, 0),
            seed=seed,
            documents=len(documents),
        )
        return np.stack([segment["places"] for segment in dataset.as_numpy_iterator()])

    tokens, targets, kinds, position, loss = segments(None).transpose(1, 0, 2)
    used = kinds.ravel() == TokenType.TEXT
    assert tokens.ravel()[used].tolist() == stream
    np.testing.assert_array_equal(tokens, targets)
    np.testing.assert_array_equal(loss.ravel(), used)
    assert not position.any()
    crop = segments(tf.constant(5, tf.int64))[:, 0].ravel().tolist()
    start = next(i for i in range(length) if stream[i : i + length] == crop[:length])
    assert crop == stream[start : start + len(crop)]


@pytest.mark.parametrize("pairs", [1, 5])
def test_picture_questions_agree_with_numpy(recorded_data, text, pairs):
    task, length = read_task(recorded_data, "vqa.easy_vqa"), 48 if pairs == 1 else 250
    source = ImageTextDataSource(task)
    dataset = image_text_sequences.pair_segments(
        source.get_dataset(shuffle=False).take(10),
        task=task.name,
        text=TfTextTokenizer(text),
        shape=SegmentFormat(0, length, pairs, 16),
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
        tokens, targets, kinds, position, loss = segment["places"]
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
        dataset = image_text_sequences.pair_segments(
            ImageTextDataSource(task).get_dataset(shuffle=False),
            task=task.name,
            text=TfTextTokenizer(text),
            shape=SegmentFormat(0, length, pairs, 16),
            pairs=pairs,
            image_shape=(64, 64),
            max_positions=512,
            question_loss=True,
            seed=tf.constant(3, tf.int64),
        )
        return np.stack([segment["places"] for segment in dataset.as_numpy_iterator()])

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"vqa.easy_vqa.*segment_length = 20"):
        segments(1, 20)
    cropped = segments(5, 60)[:-1]
    # At least the 60 - 15 places in front of a picture that would be cut.
    assert (cropped[:, PLACES.index("token_type")] > 0).sum(axis=1).min() >= 45
    assert len({tuple(row[PLACES.index("observation_position")][:1]) for row in cropped}) > 1
