"""One decision of the agent, token by token: what it saw, what it chose, and what else it could have."""

from pathlib import Path
from typing import Any

from data_pipelines import html_page
from data_pipelines.html_page import escape
from data_pipelines.read_json import read_json


def decision(path: Path) -> str:
    """The section, from what `evaluate` wrote; empty where there is no such file."""
    if not path.is_file():
        return ""
    content = read_json(path, "a decision of the agent", keys={"decisions": list})
    body = "".join(_card(one) for one in content["decisions"])
    about = (
        "For the first observation of an episode: every token of the action in the order in which it is chosen, with "
        "the likeliest ids, their probability among the legal ones, and what they stand for. The chosen one is bold."
    )
    return html_page.section("One decision, token by token", f'<div class="grid two">{body}</div>', about=about)


def _card(one: dict[str, Any]) -> str:
    tokens = "".join(
        f'<div class="token"><span class="soft">{escape(token["place"])}</span>{_choices(token["choices"])}</div>'
        for token in one["tokens"]
    )
    seen = f'<p class="note">saw {escape(one["saw"])}; did {escape(one["action"])}</p>'
    return f'<div class="card"><h3>{html_page.breakable(one["task"])}</h3>{seen}{tokens}</div>'


def _choices(choices: list[dict[str, Any]]) -> str:
    return "".join(
        f'<div class="choice{" chosen" if choice["chosen"] else ""}"><span>{escape(choice["means"])}</span>'
        f'<span class="track"><span class="fill good" style="width:{100 * choice["probability"]:.1f}%"></span></span>'
        f'<span class="n">{100 * choice["probability"]:.1f} %</span></div>'
        for choice in choices
    )
