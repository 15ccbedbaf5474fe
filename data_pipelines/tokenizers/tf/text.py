"""TensorFlow twin of `tokenizers.text`.

TensorFlow Text holds another version of the SentencePiece library. The two give the same ids, but where several
segmentations have exactly equal scores (a long run of one character: which piece of it comes first) they may choose
differently; the pieces and the decoded text are the same.
"""

import re

import tensorflow as tf
import tensorflow_text

from data_pipelines.stderr_lines import lines_left_out
from data_pipelines.tokenizers.text import TextTokenizer

NEWS = re.compile(rb"\w+\.cc\(\d+\) LOG\(INFO\) ")
"""How SentencePiece's lines of the lowest level begin. TensorFlow Text exports no way to set its level."""


class TfTextTokenizer:
    """The same SentencePiece model inside a graph: strings [n] to a ragged int32 [n, None]."""

    def __init__(self, text: TextTokenizer):
        self.eos = text.eos
        self.size = text.size
        with lines_left_out(NEWS):  # Warnings and errors pass.
            self._model = tensorflow_text.SentencepieceTokenizer(model=text.path.read_bytes(), out_type=tf.int32)

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self._model.tokenize(texts)
