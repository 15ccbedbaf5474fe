"""A text model that is damaged is named."""

import pytest

from data_pipelines.tokenizers.text import TextTokenizer


@pytest.mark.parametrize(("content", "found"), [(b"", "an empty file"), (b"junk" * 5, "20 bytes that are none")])
def test_a_damaged_model_is_named(tmp_path, content, found):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"tokenizer\.model: expected a SentencePiece model, found {found}"):
        TextTokenizer(path)
    with pytest.raises(FileNotFoundError):
        TextTokenizer(tmp_path / "none.model")


def test_sentencepiece_says_nothing_of_its_normalisation(tmp_path, capfd):
    """A line that every command with texts began with; TensorFlow Text alone writes it, once for each model."""
    import tensorflow_text

    from data_pipelines.recording.bundled_text import train_tokenizer
    from data_pipelines.suites.bundled.documents import python_documents
    from data_pipelines.tokenizers.tf.text import TfTextTokenizer

    line = "LOG(INFO) precompiled_charsmap is empty"
    for name in ("theirs", "ours"):
        train_tokenizer([name, python_documents()[0][:2000]], tmp_path / name, pieces=100)
    tensorflow_text.SentencepieceTokenizer(model=(tmp_path / "theirs").read_bytes())
    assert line in capfd.readouterr().err
    assert TfTextTokenizer(TextTokenizer(tmp_path / "ours")).size == 100
    assert line not in capfd.readouterr().err
