"""Rows as a person reads them."""

import dataclasses

import numpy as np
import pytest
import seqio

from data_pipelines.registration.vocabulary import RowVocabulary
from data_pipelines.schema import RowGroup
from data_pipelines.sequences.windows import PLACES
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import TokenType, Vocabulary
from tests.data_pipelines.recordings import BUTTONS, POINT

TOKENS = TokenConfig(Vocabulary(1024), text_tokens=12)
GROUP = RowGroup((BUTTONS.name, POINT.name, "text.a"), window_length=40)
STEPS = [
    {"observation": {"mission": "go to the ball", "x": np.float32([0, 0.5, -2])}, "action": np.int32(3)},
    {"observation": {"mission": "go", "x": np.float32([1, 1, 1])}, "action": np.int32(5)},
]


@pytest.fixture(scope="module")
def text(recorded_data):
    return TextTokenizer(recorded_data / "tokenizer.model")


@pytest.fixture(scope="module")
def vocabulary(text):
    layouts = {spec.name: TimestepLayout.build(spec, TOKENS) for spec in (BUTTONS, POINT)}
    names = sorted([*layouts, "text.a"])
    return RowVocabulary(TOKENS, text, group=GROUP, task_names=names, layouts={**layouts, "text.a": None})


def places(tokens, kinds, targets=None, position=None):
    """One window of 40 places."""
    window = np.zeros((1, len(PLACES), 40), np.int32)
    values = {"tokens": tokens, "targets": tokens if targets is None else targets, "token_type": kinds}
    for name, of in values.items():
        window[0, PLACES.index(name), : len(of)] = of
    window[0, PLACES.index("position")] = np.arange(40) if position is None else position
    return window


@pytest.fixture(scope="module")
def buttons(text, vocabulary):
    """Two timesteps of `BUTTONS`, the second of which has another label."""
    tokenizer = TimestepTokenizer(TimestepLayout.build(BUTTONS, TOKENS), text)
    tokens, kinds = [], []
    for step in STEPS:
        seen, action = tokenizer.encode_observation(step["observation"]), tokenizer.encode_action(step["action"])
        tokens.append(np.concatenate([seen["tokens"], action]))
        kinds.append(np.append(seen["token_type"], TokenType.ACTION))
    tokens, kinds = np.concatenate(tokens), np.concatenate(kinds)
    targets = tokens.copy()
    targets[-1] = TOKENS.vocabulary.discrete_start + 1
    return {"places": places(tokens, kinds, targets), "frames": np.zeros((1, 0)), "task_id": np.array([0])}


# By hand: 0, 0.5, -2 and 1 are in bins 512, 710, 244 and 744, floor(512 (1 + sign(x) ln(100 |x| + 1) / ln(25601))).
# The centre of bin b is sign(c) (25601 ** |c| - 1) / 100 with c = (b + 0.5) / 512 - 1.
SHOWN = """window 0
  t0: mission “go to the ball”, x 9.962e-05 0.5018 -2 | action 3
  t1: mission “go”, x 0.9941 0.9941 0.9941 | action 5 (label 1)
  6 places of padding"""


def test_timesteps_by_name(vocabulary, buttons):
    assert vocabulary.decode(buttons) == f"control.buttons\n{SHOWN}"
    assert vocabulary.decode(buttons["places"]) == SHOWN, "no other layout fits"
    assert vocabulary.decode_tf(buttons["places"]).numpy().decode() == SHOWN
    fields = {name: buttons["places"][0, index] for index, name in enumerate(PLACES)}
    example = {**fields, "positions": fields["position"], "task_id": np.int32(0)}
    assert vocabulary.decode(example) == f"control.buttons\n{SHOWN}"


def test_values_of_an_unknown_task_are_bins(vocabulary, buttons):
    other = dataclasses.replace(BUTTONS, name="control.levers", action=dataclasses.replace(BUTTONS.action, key="lever"))
    layouts = {spec.name: TimestepLayout.build(spec, TOKENS) for spec in (BUTTONS, other)}
    two = RowVocabulary(TOKENS, vocabulary.text, group=GROUP, task_names=sorted(layouts), layouts=layouts)
    shown = two.decode(buttons["places"]).splitlines()
    assert shown[1].startswith("  “go to the ball” <bin 512> <bin ")
    assert " | 3 “go” " in shown[1]


def test_text_and_pictures(vocabulary, text):
    words = text.encode("what is it? a ball")
    kinds = [TokenType.PATCH] * 4 + [TokenType.TEXT] * len(words)
    row = {"places": places([0, 1, 2, 3, *words], kinds), "task_id": np.array([2])}
    assert vocabulary.decode(row).splitlines()[:3] == ["text.a", "window 0", "  [4 patches] “what is it? a ball”"]


def test_ids_alone(vocabulary):
    ids = vocabulary.encode("a red ball")
    assert vocabulary.decode(ids) == "a red ball" == vocabulary.decode(vocabulary.encode_tf("a red ball"))
    start = TOKENS.vocabulary.continuous_start
    values = [start, start + 1023, TOKENS.vocabulary.separator]
    assert vocabulary.decode([*ids, *values]) == "a red ball <bin 0> <bin 1023> |"
    with pytest.raises(ValueError, match=r"expected ids \[n\], places \[K, 6, S\] or a row, found \(2, 2\)"):
        vocabulary.decode(np.zeros((2, 2)))


def test_ids_are_those_of_the_model(vocabulary):
    assert vocabulary.vocab_size == TOKENS.vocabulary.size
    assert vocabulary.pad_id == 0
    assert vocabulary.eos_id is vocabulary.unk_id is vocabulary.bos_id is None


def test_only_rows_of_one_kind_mix(vocabulary):
    """SeqIO refuses to mix features of different vocabularies."""
    options = {"task_names": vocabulary.task_names, "layouts": {}}
    assert vocabulary == RowVocabulary(TOKENS, vocabulary.text, group=GROUP, **options)
    longer = dataclasses.replace(GROUP, window_length=64)
    assert vocabulary != RowVocabulary(TOKENS, vocabulary.text, group=longer, **options)
    assert vocabulary != RowVocabulary(TokenConfig(), vocabulary.text, group=GROUP, **options)
    assert vocabulary != seqio.PassThroughVocabulary(TOKENS.vocabulary.size)
