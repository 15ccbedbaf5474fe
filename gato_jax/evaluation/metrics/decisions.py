"""One decision of the agent, token by token: what it chose, and how likely that and other ids were."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from gato_jax.agent.policy import Policy
from gato_jax.weights.weights import Weights

SHOWN = 4
"""Ids that are shown of each place, the likeliest ones."""
LONGEST = 60
"""Characters of an observed text."""


def decision(weights: Weights, policy: Policy, observation: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What the agent does at the first observation of an episode.

    Args:
      weights: of the policy.
      policy: without a prompt; its episodes begin anew.
      observation: as an environment gives it.
      seed: of the episode.

    Returns:
      "task", "saw", "action", and "tokens": for each place of the action its "choices" with "means", "probability"
      among the legal ids, and whether it was "chosen"; the likeliest first.
    """
    policy.reset([seed])
    ids = policy.act_tokens([observation])
    layout, text = policy.layout, weights.text if policy.layout.has_text else None
    tokenizer, logits, first = TimestepTokenizer(layout, text), policy.scores()[0], int(layout.action_low.min())
    action = tokenizer.decode_action(ids)[0]
    tokens = []
    for place in range(ids.shape[1]):
        low, high = int(layout.action_low[place]), int(layout.action_high[place])
        scores = logits[place, low - first : high - first]
        probabilities = np.exp(scores - scores.max())
        probabilities /= probabilities.sum()
        chosen = int(ids[0, place]) - low
        best = list(dict.fromkeys([*np.argsort(-probabilities)[:SHOWN].tolist(), chosen]))
        choices = [
            {
                "means": _meaning(tokenizer, policy.spec, ids[0], place, low + index),
                "probability": float(probabilities[index]),
                "chosen": index == chosen,
            }
            for index in best
        ]
        tokens.append({"place": f"action token {place + 1} of {ids.shape[1]}", "choices": choices})
    saw = f"the first observation of seed {seed}: {_saw(policy.spec, observation)}"
    return {"task": policy.spec.name, "saw": saw, "action": _written(action), "tokens": tokens}


def _meaning(tokenizer: TimestepTokenizer, spec: TaskSpec, ids: np.ndarray, place: int, token: int) -> str:
    """What an id stands for at a place of the action."""
    other = ids.copy()
    other[place] = token
    value = tokenizer.decode_action(other[None])[0]
    return _written(value.ravel()[place] if value.size == len(ids) else value)


def _written(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=3, separator=", ", suppress_small=True, threshold=12)


def _saw(spec: TaskSpec, observation: Mapping[str, Any]) -> str:
    """Texts as they are, of everything else key and shape."""
    parts = []
    for item in spec.observation:
        node: Any = observation
        for part in item.path:
            node = node[part]
        if item.kind is Kind.TEXT:
            shown = str(node) if len(str(node)) <= LONGEST else f"{str(node)[:LONGEST]}..."
            parts.append(f'{item.key} "{shown}"')
        else:
            parts.append(f"{item.key} {list(item.shape)}")
    return ", ".join(parts)
