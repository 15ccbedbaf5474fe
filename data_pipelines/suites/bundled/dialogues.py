"""Short dialogues as plain text: turns that begin a line with "User: " and "Agent: ", one after the other.

A dialogue is one document, so it ends with eos as every document does. To have an agent's next turn, give it the turns
so far and "Agent:" on a line of its own, and stop at eos or at a line that begins with "User:".
"""

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.suites.base.bundle import Bundle

USER, AGENT = "User", "Agent"

_MARK = re.compile(f"^(?:{USER}|{AGENT}):", re.MULTILINE)

_LEFT_OUT = ("botprofile", "gossip", "politics", "psychology")
"""Topics of the corpus that are left out: what a bot of 1995 says of itself, of living people and of illness."""


def dialogue(turns: Sequence[str]) -> str:
    """Turns, the user's first, as text. Lines of a turn that look like the next one are indented by a space."""
    texts = (_MARK.sub(r" \g<0>", turn.strip()) for turn in turns)
    return "\n".join(f"{AGENT if number % 2 else USER}: {text}" for number, text in enumerate(texts))


def chatterbot_corpus() -> Bundle:
    """The English dialogues of chatterbot-corpus."""
    spec = importlib.util.find_spec("chatterbot_corpus")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("expected the package chatterbot-corpus, found none")
    return Bundle(dialogues(Path(next(iter(spec.submodule_search_locations))) / "data" / "english"))


def dialogues(folder: Path) -> list[str]:
    """Dialogues in chatterbot-corpus's YAML files, by file and in the file's order, each once.

    Raises:
      ValueError: a file without the list `conversations`.
    """
    import yaml

    found: dict[str, None] = {}
    for path in sorted(folder.glob("*.yml")):
        if path.stem in _LEFT_OUT:
            continue
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        conversations = content.get("conversations") if isinstance(content, dict) else None
        if not isinstance(conversations, list):
            raise ValueError(f"{path}: expected a list `conversations`, found {type(content).__name__}")
        for turns in conversations:
            # A question alone has no answer; and some entries are a line of text by mistake.
            if isinstance(turns, list) and len(turns) > 1:
                found[dialogue([str(turn) for turn in turns])] = None
    return list(found)
