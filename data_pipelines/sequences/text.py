"""From text documents to windows of S places (Gato, section 2.3)."""

import tensorflow as tf

from data_pipelines.sequences.numbering import numbered
from data_pipelines.sequences.windows import WindowFormat, in_turn, uniform
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.vocabulary import TokenType

DOCUMENTS = 16
"""Documents that are tokenised, and cut, at a time."""


def text_windows(
    dataset: tf.data.Dataset,
    *,
    shape: WindowFormat,
    seed: tf.Tensor | None,
    pack: bool = True,
    whole: bool = False,
) -> tf.data.Dataset:
    """Batches of `tokenize_documents` to windows: a document is cut where a window is full.

    What does not fill a window shares one with the next document (`pack`), each attending to itself alone, or is
    padded. Training starts at a random place of its first document, and leaves the last window's rest, unless `whole`
    asks that nothing is left over. Without a seed (validation) nothing is.
    """
    length, whole = shape.length, whole or seed is None

    def fill(rest: dict, numbered: tuple[tf.Tensor, dict]) -> tuple[dict, dict]:
        index, batch = numbered
        tokens, sizes = batch["tokens"], batch["sizes"]
        if not pack:
            full = _blocks(tf.RaggedTensor.from_row_lengths(tokens, sizes).to_tensor(-1), length)
            return rest, {"tokens": full, "within": tf.broadcast_to(tf.range(length), tf.shape(full))}
        if not whole:
            skip = tf.where(index == 0, uniform(tf.stack([seed, index]), 0, [], sizes[0]), 0)
            tokens, sizes = tokens[skip:], sizes - tf.one_hot(0, tf.size(sizes), skip, dtype=tf.int32)
        place = tf.size(rest["tokens"]) + tf.range(tf.size(tokens))
        begins = tf.size(rest["tokens"]) + tf.repeat(tf.cumsum(sizes, exclusive=True), sizes)
        # A document that is cut goes on as a sequence of its own at the start of the next window.
        within = place - tf.maximum(begins, place // length * length)
        tokens, within = tf.concat([rest["tokens"], tokens], axis=0), tf.concat([rest["within"], within], axis=0)
        # The last, empty batch of a whole pass fills the open window up with padding.
        close = tf.where(tf.size(sizes) == 0, -tf.size(tokens) % length, 0)
        tokens = tf.pad(tokens, [[0, close]], constant_values=-1)
        within = tf.concat([within, length - close + tf.range(close)], axis=0)
        filled = tf.size(tokens) // length * length
        full = {"tokens": tokens[:filled], "within": within[:filled]}
        full = {name: tf.reshape(values, [-1, length]) for name, values in full.items()}
        return {"tokens": tokens[filled:], "within": within[filled:]}, full

    def emit(full: dict[str, tf.Tensor]) -> tf.data.Dataset:
        used = tf.cast(full["tokens"] >= 0, tf.int32)
        tokens = full["tokens"] * used
        places = tf.stack([tokens, tokens, used * int(TokenType.TEXT), tf.zeros_like(tokens), used], axis=1)
        return shape.emit(places, tf.zeros([tf.shape(places)[0], 0], tf.string), full["within"])

    nothing = {"tokens": tf.zeros([0], tf.int32), "sizes": tf.zeros([0], tf.int32)}
    if whole and pack:
        dataset = dataset.concatenate(tf.data.Dataset.from_tensors(nothing))
    rest = {"tokens": tf.zeros([0], tf.int32), "within": tf.zeros([0], tf.int32)}
    return in_turn(numbered(dataset).scan(rest, fill), emit, seed=seed)


def tokenize_documents(
    dataset: tf.data.Dataset, *, text: TfTextTokenizer, documents: int = DOCUMENTS
) -> tf.data.Dataset:
    """Documents {"text"} to batches {"tokens": int32 [sum of sizes], "sizes": int32 [documents]}, eos at every end."""

    def tokenize(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        pieces = tf.concat([text.encode(texts), tf.fill([tf.shape(texts)[0], 1], text.eos)], axis=1)
        return {"tokens": pieces.flat_values, "sizes": tf.cast(pieces.row_lengths(), tf.int32)}

    return dataset.map(_text_of).batch(documents).map(tokenize)


def _blocks(padded: tf.Tensor, length: int) -> tf.Tensor:
    """Rows of `padded` cut into [n, length]; blocks of padding (-1) alone are left out."""
    missing = -tf.shape(padded)[1] % length
    blocks = tf.reshape(tf.pad(padded, [[0, 0], [0, missing]], constant_values=-1), [-1, length])
    return tf.boolean_mask(blocks, blocks[:, 0] >= 0)


def _text_of(example: dict) -> tf.Tensor:
    return example["text"]
