"""Text: SentencePiece sub-words (Gato, section 2.1)."""

import importlib.util
import pathlib

import numpy as np
import sentencepiece
from jaxtyping import Int

PACKAGE_PREFIX = "package:"

TEXT_MODEL_FILE = "tokenizer.model"
"""In a data directory that has a text model of its own."""

PAPER_TEXT_MODEL = f"{PACKAGE_PREFIX}mistral_common/data/tokenizer.model.v1"
"""32,000 pieces, as many as the paper's; it comes with a package that is installed anyway."""


def resolve_text_model(text_model: str, directory: str | pathlib.Path = "") -> pathlib.Path:
    """Path of a SentencePiece model.

    Args:
      text_model: "" for `tokenizer.model` in the data directory, a path, or "package:<package>/<path inside it>".
      directory: the data directory.

    Raises:
      FileNotFoundError: naming what was looked for.
    """
    if text_model.startswith(PACKAGE_PREFIX):
        package, _, inside = text_model.removeprefix(PACKAGE_PREFIX).partition("/")
        package_spec = importlib.util.find_spec(package)
        if package_spec is None or not package_spec.submodule_search_locations:
            raise FileNotFoundError(f"tokens.text_model {text_model!r}: package {package!r} is not installed")
        path = pathlib.Path(next(iter(package_spec.submodule_search_locations))) / inside
    else:
        path = pathlib.Path(text_model) if text_model else pathlib.Path(directory) / TEXT_MODEL_FILE
    if not path.is_file() and not text_model:
        raise FileNotFoundError(
            f"tokens.text_model is not set, and there is no SentencePiece model at {path}: set it to "
            f"{PAPER_TEXT_MODEL} (32,000 pieces, as the paper has), or train one on the data: gato text-model "
            f"{directory or 'DATA'}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"tokens.text_model {text_model!r}: no SentencePiece model at {path}")
    return path


class TextTokenizer:
    """A SentencePiece model: strings to ids in [0, size) and back.

    Raises:
      ValueError: the file is empty, cut short, or something else.
    """

    def __init__(self, path: str | pathlib.Path):
        self.path = pathlib.Path(path)
        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except RuntimeError as error:
            size = self.path.stat().st_size
            actual = f"{size:,} bytes that are none ({error})" if size else "an empty file"
            raise ValueError(f"{path}: expected a SentencePiece model, found {actual}") from error

    @property
    def size(self) -> int:
        return self._model.vocab_size()

    @property
    def eos(self) -> int:
        return self._model.eos_id()

    def encode(self, text: str) -> list[int]:
        return self._model.encode(text)

    def piece(self, token: int) -> str:
        """The piece of an id as the model spells it, a space as "▁"."""
        return self._model.id_to_piece(int(token))

    def piece_bytes(self, token: int) -> int:
        """Bytes of UTF-8 that an id stands for: none for those that mark something, such as the end."""
        token = int(token)
        if self._model.is_control(token) or self._model.is_unknown(token):
            return 0
        if self._model.is_byte(token):
            return 1
        return len(self.piece(token).replace("\u2581", " ").encode())

    def decode(self, ids: Int[np.ndarray, "length"]) -> str:
        """Text of the ids; ids that are no pieces are left out."""
        return self._model.decode([int(i) for i in ids if 0 <= i < self.size])
