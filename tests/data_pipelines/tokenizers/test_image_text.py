"""The NumPy twin of pairs: see `test_sequences` for its agreement with the stream's."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.tokenizers.image_text import ImageTextTokenizer
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model

TEXT = TextTokenizer(resolve_text_model("package:mistral_common/data/tokenizer.model.v1"))


def test_text_behind_the_table_has_no_local_position():
    tokens = TokenConfig(max_observation_tokens=6)
    pair = ImageTextTokenizer(tokens, TEXT).encode_pair(np.zeros((32, 20, 3), np.uint8), "", "five words are in here")
    position = pair["observation_position"]
    assert position[:6].tolist() == [1, 2, 3, 4, 5, 6]
    assert len(position) > 7
    assert not position[6:].any()
    with pytest.raises(ValueError, match=r"a picture of 4 patches exceeds tokens.max_observation_\w+ = 3"):
        ImageTextTokenizer(dataclasses.replace(tokens, max_observation_tokens=3), TEXT).encode_prefix(
            np.zeros((32, 20, 3), np.uint8), "why?"
        )
