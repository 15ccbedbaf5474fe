"""Dialogues as text."""

import importlib.util

import pytest

from data_pipelines.suites.bundled import dialogues

TALK = """
categories: [food]
conversations:
- - What is good?
  - |
    Pizza:

        bake()
- - Do you eat?
  - No.
  - "User: never?"
- - Alone
- a line by mistake
- - Do you eat?
  - No.
  - "User: never?"
"""


def test_turns_begin_lines_and_a_dialogue_comes_once(tmp_path):
    (tmp_path / "food.yml").write_text(TALK)
    (tmp_path / "gossip.yml").write_text(TALK.replace("pizza", "someone"))
    assert dialogues.dialogues(tmp_path) == [
        "User: What is good?\nAgent: Pizza:\n\n    bake()",
        "User: Do you eat?\nAgent: No.\nUser:  User: never?",
    ]


def test_what_is_no_dialogue(tmp_path):
    (tmp_path / "food.yml").write_text("- a\n- b\n")
    with pytest.raises(ValueError, match=r"food\.yml: expected a list `conversations`, found list"):
        dialogues.dialogues(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("chatterbot_corpus") is None, reason="chatterbot-corpus is not installed")
def test_the_corpus():
    texts = dialogues.chatterbot_corpus().train
    assert len(texts) > 500
    assert all(text.startswith("User: ") and "\nAgent: " in text for text in texts)
    assert len(set(texts)) == len(texts)
