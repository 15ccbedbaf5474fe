"""The SentencePiece model that a recording trains on its texts."""

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

from data_pipelines.suites import catalog

TOKENIZER_FILE = "tokenizer.model"


def spoken_texts(task: str) -> list[str]:
    """Short texts of a task without a world that a policy reads or says, such as questions; none of other tasks."""
    entry = catalog.catalog().get(task)
    if entry is None or not entry.spoken or entry.make_examples is None:
        return []
    return list(entry.make_examples().texts())


def train_tokenizer(texts: Iterable[str], path: Path, *, pieces: int, phrases: Iterable[str] = ()) -> None:
    """Trains a SentencePiece model; the same texts give the same model on every machine.

    Ids: unknown 0, begin 1, end 2, no padding piece. White space is kept as it is and a line break is a piece of its
    own, so that decoding gives the text back.

    Args:
      texts: to train on; repetitions do not count.
      phrases: instructions, questions and answers. They are few beside the texts, but a policy reads them in every
        timestep: they are repeated until they make up a quarter of the characters, so that their words become pieces.
      path: file to write, atomically.
      pieces: size of the vocabulary.

    Raises:
      ValueError: the texts hold too little for so many pieces.
    """
    lines = sorted({line for text in texts for line in text.splitlines() if line.strip()})
    spoken = sorted(set(phrases))
    if spoken:
        lines += spoken * max(1, sum(map(len, lines)) // (3 * sum(map(len, spoken))))
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, vocab_size=pieces, model_type="unigram",
            character_coverage=1.0, num_threads=1, shuffle_input_sentence=False, unk_id=0, bos_id=1, eos_id=2,
            pad_id=-1, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
            user_defined_symbols=["\n"], max_sentence_length=100_000, minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        raise ValueError(f"cannot train {pieces} text pieces on {len(lines)} lines: {error}") from error
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(model.getvalue())
    partial.replace(path)
