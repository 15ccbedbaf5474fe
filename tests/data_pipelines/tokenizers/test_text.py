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
