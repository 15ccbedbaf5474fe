"""Interleaved documents: cut at whole pictures, within both budgets, and nothing lost."""

import functools

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.sequences.documents import document_windows
from data_pipelines.sequences.windows import WindowFormat
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.vocabulary import TokenType

TEXT = TextTokenizer(resolve_text_model("package:mistral_common/data/tokenizer.model.v1"))
TF_TEXT = TfTextTokenizer(TEXT)
LARGEST = 12

texts = st.sampled_from(["", "word", "a few more words here", "a text, and\n\nanother paragraph of it"])
sizes = st.tuples(st.integers(1, 4 * 16), st.integers(1, 3 * 16))
documents = st.lists(
    st.lists(sizes, max_size=4).flatmap(
        lambda picture_sizes: st.tuples(
            st.just(picture_sizes), st.lists(texts, min_size=len(picture_sizes) + 1, max_size=len(picture_sizes) + 1)
        )
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@functools.lru_cache
def pipeline(length, images, patches, seeded):
    """(documents, seed) to all segments; traced once for each setting, which takes longer than all documents."""

    def run(words, names, picture_sizes, splits, picture_splits, seed):
        columns = {
            "texts": tf.RaggedTensor.from_row_splits(words, splits),
            "images": tf.RaggedTensor.from_row_splits(names, picture_splits),
            "sizes": tf.RaggedTensor.from_row_splits(picture_sizes, picture_splits),
        }
        dataset = tf.data.Dataset.from_tensor_slices(columns)
        dense = dataset.map(lambda example: {key: tf.convert_to_tensor(value) for key, value in example.items()})
        segments = document_windows(
            dense,
            text=TF_TEXT,
            shape=WindowFormat(0, length, images, LARGEST),
            images=images,
            patches=patches,
            seed=seed if seeded else None,
        )
        return segments.batch(1000).get_single_element()

    kinds = [([None], tf.string), ([None], tf.string), ([None, 2], tf.int32), ([None], tf.int64), ([None], tf.int64)]
    signature = [*(tf.TensorSpec(shape, kind) for shape, kind in kinds), tf.TensorSpec([], tf.int64)]
    return tf.function(run, input_signature=signature, autograph=False)


def segments(given_documents, *, length, images, patches, seed):
    names = [
        f"{number}/{i}" for number, (picture_sizes, _) in enumerate(given_documents) for i in range(len(picture_sizes))
    ]
    picture_sizes = np.asarray([size for pictures, _ in given_documents for size in pictures], np.int32).reshape(-1, 2)
    splits = np.cumsum([0, *(len(words) for _, words in given_documents)])
    picture_splits = np.cumsum([0, *(len(pictures) for pictures, _ in given_documents)])
    result = pipeline(length, images, patches, seed is not None)(
        tf.constant([word for _, words in given_documents for word in words], tf.string),
        tf.constant(names, tf.string), tf.constant(picture_sizes), tf.constant(splits, tf.int64),
        tf.constant(picture_splits, tf.int64), tf.constant(seed or 0, tf.int64),
    )  # fmt: skip
    return [{name: values[i].numpy() for name, values in result.items()} for i in range(len(result["places"]))]


def expected_places(given_documents):
    """(picture's name or "", patch or piece) of every place of the joined documents."""
    places = []
    for number, (picture_sizes, words) in enumerate(given_documents):
        for index, word in enumerate(words):
            places += [("", piece) for piece in TEXT.encode(word)]
            if index < len(picture_sizes):
                height, width = picture_sizes[index]
                places += [(f"{number}/{index}", p) for p in range(-(-height // 16) * -(-width // 16))]
        places.append(("", TEXT.eos))
    return places


def read(segment):
    """Places of one segment in the same form, and checks of what follows from them."""
    tokens, targets, kinds, position, loss, _ = segment["places"]
    used = int((kinds != TokenType.PADDING).sum())
    assert not segment["places"][:-1, used:].any()
    is_patch = kinds == TokenType.PATCH
    np.testing.assert_array_equal(loss[:used], ~is_patch[:used])
    np.testing.assert_array_equal(targets, np.where(is_patch, 0, tokens))
    np.testing.assert_array_equal(position, np.where(is_patch, tokens % LARGEST + 1, 0))
    frames = [name.decode() for name in segment["frames"]]
    places = [
        (frames[token // LARGEST], int(token % LARGEST)) if patch else ("", int(token))
        for token, patch in zip(tokens[:used], is_patch, strict=False)
    ]
    shown = {token // LARGEST for token in tokens[is_patch]}
    assert shown == {index for index, name in enumerate(frames) if name}
    return places


@settings(max_examples=50, deadline=None)
@given(
    given_documents=documents,
    budgets=st.sampled_from([(LARGEST, 1, LARGEST), (30, 4, 17), (60, 2, 40)]),
    seed=st.none() | st.integers(0, 2**40),
)
def test_segments_are_the_documents_cut_at_whole_pictures(given_documents, budgets, seed):
    length, images, patches = budgets
    places_of_segments = [read(segment) for segment in segments(
        given_documents, length=length, images=images, patches=patches, seed=seed
    )]  # fmt: skip
    expected = expected_places(given_documents)
    joined = [place for places in places_of_segments for place in places]
    if seed is None:
        assert joined == expected
        start = 0
    else:
        starts = [s for s in range(len(expected) - len(joined) + 1) if expected[s : s + len(joined)] == joined]
        assert starts
        start = starts[0]
    for places in places_of_segments:
        pictures = [name for name, number in places if name and number == 0]
        assert len(places) <= length
        assert len(pictures) <= images
        assert sum(1 for name, _ in places if name) <= patches
        assert not places[0][0] or places[0][1] == 0
        end = start + len(places)
        rest = expected[end:]
        assert not rest or not rest[0][0] or rest[0][1] == 0, "half a picture"
        if rest and len(places) < length:  # Cut earlier only because the next picture has no room.
            size = sum(1 for name, _ in rest if name == rest[0][0])
            assert rest[0][0]
            taken = sum(1 for name, _ in places if name)
            assert len(places) + size > length or len(pictures) == images or taken + size > patches
        start = end


def test_the_phase_is_a_function_of_the_seed():
    some = [([(32, 32)], ["a few more words here", "and some behind"])] * 12
    first, again = ([read(s) for s in segments(some, length=24, images=2, patches=12, seed=5)] for _ in range(2))
    assert first == again
    others = [[read(s) for s in segments(some, length=24, images=2, patches=12, seed=seed)] for seed in range(4)]
    assert any(other != first for other in others)
