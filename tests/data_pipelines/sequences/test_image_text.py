"""Five pairs a segment, pictures of any size: whatever is cropped, no picture is halved and only text is learnt."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.sequences.image_text import pair_windows
from data_pipelines.sequences.windows import PLACES, WindowFormat
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.vocabulary import TokenType

TEXT = TextTokenizer(resolve_text_model("package:mistral_common/data/tokenizer.model.v1"))
TF_TEXT = TfTextTokenizer(TEXT)
LARGEST = 12
MAX_POSITIONS = 14

pairs_of_any_size = st.lists(
    st.tuples(
        st.integers(1, 4 * 16), st.integers(1, 3 * 16), st.sampled_from(["", "What is it?", "Where?"]),
        st.sampled_from(["a", "two words", "a rather long answer, with a comma"]),
    ),
    min_size=1, max_size=13,
)  # fmt: skip


@functools.lru_cache
def pipeline(length, pairs, seeded, question_loss):
    """(examples, seed) to all segments; traced once for each length, which takes longer than all examples."""

    def run(image, height, width, question, answer, seed):
        columns = {"image": image, "height": height, "width": width, "question": question, "answer": answer}
        dataset = pair_windows(
            tf.data.Dataset.from_tensor_slices(columns),
            task="a.b",
            text=TF_TEXT,
            shape=WindowFormat(0, length, pairs, LARGEST),
            pairs=pairs,
            image_shape=None,
            max_positions=MAX_POSITIONS,
            question_loss=question_loss,
            seed=seed if seeded else None,
        )
        return dataset.batch(1000).get_single_element()

    kinds = (tf.string, tf.int32, tf.int32, tf.string, tf.string)
    signature = [*(tf.TensorSpec([None], kind) for kind in kinds), tf.TensorSpec([], tf.int64)]
    return tf.function(run, input_signature=signature, autograph=False)


def segments(examples, *, length, pairs, seed, question_loss=True):
    names = [f"picture {number}" for number in range(len(examples))]
    columns = [tf.constant(column) for column in zip(*examples, strict=True)]
    run = pipeline(length, pairs, seed is not None, question_loss)
    rows = run(tf.constant(names), *columns, tf.constant(seed or 0, tf.int64))
    return [{name: values[i].numpy() for name, values in rows.items()} for i in range(len(rows["places"]))]


def expected_places(examples):
    """(picture or -1, patch or piece, loss on questions too, loss on answers, local position) of every place."""
    places = []
    for number, (height, width, question, answer) in enumerate(examples):
        start = len(places)
        places += [(number, patch, 0, 0) for patch in range(-(-height // 16) * -(-width // 16))]
        places += [(-1, piece, 1, 0) for piece in TEXT.encode(question)]
        places += [(-1, piece, 1, 1) for piece in [*TEXT.encode(answer), TEXT.eos]]
        for index in range(start, len(places)):
            local = index - start + 1
            places[index] += (local if local <= MAX_POSITIONS else 0,)
    return places


@settings(max_examples=50, deadline=None)
@given(
    examples=pairs_of_any_size,
    length=st.sampled_from([LARGEST + 1, 40, 90]),
    seed=st.none() | st.integers(0, 2**40),
)
def test_a_segment_is_a_window_of_its_pairs(examples, length, seed):
    pairs, question_loss = 5, length != 40
    cut = segments(examples, length=length, pairs=pairs, seed=seed, question_loss=question_loss)
    assert len(cut) == -(-len(examples) // pairs)
    for number, segment in enumerate(cut):
        chosen = examples[number * pairs : (number + 1) * pairs]
        tokens, targets, kinds, position, loss, _ = segment["places"]
        used = int((kinds != TokenType.PADDING).sum())
        assert not segment["places"][:-1, used:].any()
        is_patch = kinds == TokenType.PATCH
        assert not loss[is_patch].any()
        assert not targets[is_patch].any()
        read = [
            (token // LARGEST, token % LARGEST) if patch else (-1, token)
            for token, patch in zip(tokens[:used], is_patch, strict=False)
        ]
        expected = expected_places(chosen)
        starts = [s for s in range(len(expected) - used + 1) if [p[:2] for p in expected[s : s + used]] == read]
        assert starts
        matches = []
        for start in starts:
            window = expected[start : start + used]
            whole_start = window[0][0] < 0 or window[0][1] == 0
            rest = expected[start + used :]
            next_fits = bool(rest) and (
                rest[0][0] < 0 or used + sum(place[0] == rest[0][0] for place in rest) <= length
            )
            whole_end = not rest or rest[0][0] < 0 or rest[0][1] == 0
            losses = [place[2 if question_loss else 3] for place in window]
            same = losses == loss[:used].tolist() and [place[4] for place in window] == position[:used].tolist()
            first = seed is not None or start == 0
            # What was left out behind the window did not fit.
            matches.append(whole_start and whole_end and same and first and not (next_fits and used < length))
        assert any(matches)
        shown = {frame for frame, _ in read if frame >= 0}
        names = [f"picture {number * pairs + frame}".encode() if frame in shown else b"" for frame in range(pairs)]
        assert segment["frames"].tolist() == names


def test_crops_reach_every_pair_and_are_a_function_of_the_seed():
    examples = [(32, 32, "", f"caption {number}") for number in range(5)] * 40
    length = 20
    first, again, other = (segments(examples, length=length, pairs=5, seed=seed) for seed in (1, 1, 2))
    same = [np.array_equal(a["places"], b["places"]) for a, b in zip(first, again, strict=True)]
    assert all(same)
    differ = [np.array_equal(a["places"], b["places"]) for a, b in zip(first, other, strict=True)]
    assert not all(differ)
    shown = np.array([[frame != b"" for frame in segment["frames"]] for segment in first])
    assert shown.any(axis=0).all()


def test_captions_are_drawn_anew_in_every_pass():
    dataset = tf.data.Dataset.from_tensor_slices(
        {
            "image": ["picture"],
            "height": [16],
            "width": [16],
            "captions": tf.ragged.constant([["one", "two", "three"]]),
        }
    )

    def drawn(seed, passes):
        windows_of_pairs = pair_windows(
            dataset.map(dict).repeat(passes), task="a.b", text=TF_TEXT,
            shape=WindowFormat(0, 8, 1, 1), pairs=1, image_shape=None, max_positions=8, question_loss=True, seed=seed,
        )  # fmt: skip
        targets = PLACES.index("targets")
        return [TEXT.decode(row["places"][targets][1:]).split()[0] for row in windows_of_pairs.as_numpy_iterator()]

    counts = [drawn(tf.constant(3, tf.int64), 300).count(word) for word in ("one", "two", "three")]
    assert sum(counts) == 300
    assert min(counts) > 60
    assert drawn(None, 2) == ["one", "one"]


def test_a_single_pair_is_never_cropped():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"'a.b.*: a picture with its text must fit window_"):
        segments([(64, 48, "", "a rather long answer")], length=LARGEST + 2, pairs=1, seed=1)
