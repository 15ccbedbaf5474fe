"""Text that is always there, and the model of its pieces."""

import pytest
import sentencepiece

from data_pipelines.recording import bundled_text

TEXTS = [f"go to the {colour} {thing}\n  then stop" for colour in ("red", "green", "grey") for thing in ("ball", "key")]


def test_the_text_model_is_the_same_every_time_and_gives_text_back(tmp_path):
    for name in ("a", "b"):
        bundled_text.train_tokenizer(TEXTS, tmp_path / name, pieces=28)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "a"))
    assert (model.unk_id(), model.bos_id(), model.eos_id(), model.pad_id()) == (0, 1, 2, -1)
    assert model.vocab_size() == 28
    assert model.decode(model.encode(TEXTS[0])) == TEXTS[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_too_little_text_is_an_error_with_numbers(tmp_path):
    with pytest.raises(ValueError, match="cannot train 1024 text pieces on 7 lines"):
        bundled_text.train_tokenizer(TEXTS, tmp_path / "model", pieces=1024)


def test_the_model_learns_what_is_asked_and_answered_but_no_documents():
    spoken = bundled_text.spoken_texts("vqa.easy_vqa")
    assert "triangle" in spoken
    assert any(text.endswith("?") for text in spoken)
    assert bundled_text.spoken_texts("text.python_docs") == bundled_text.spoken_texts("captions.of_my_own") == []
