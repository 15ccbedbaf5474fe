"""Observations in, actions out: an agent around the PyTorch model. Needs NumPy, PyTorch, and SentencePiece for text.

The tokenizers beside this file are those that the model was trained with, in NumPy.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .continuous import Companding
from .errors import Failures, Origin
from .images import ImageFit
from .layout import ActionPositions, TimestepLayout, TokenConfig
from .spec import Kind, TaskSpec
from .timestep import TimestepTokenizer
from .vocabulary import DiscreteIds, TokenType, Vocabulary

FIELDS = ("tokens", "token_type", "observation_position", "segment_ids")
PATCHES = ("patches", "patch_slot", "patch_interval")
Fields = dict[str, np.ndarray]


class Agent:
    """Acts in one task, in any number of environments in lockstep.

    While the window holds the whole episode the cache equals reading it all again; when it is full, the oldest
    timesteps are dropped and what is left is read in again from position 0.

    Args:
      model: a `GatoModel`.
      spec: observations and action of the task.
      tokens: how they become tokens.
      text: SentencePiece tokenizer, where the task has text.
      window: most timesteps in view, the current one included.
      drop: timesteps dropped when the window is full; 0 = a quarter of the window.
      decode: "argmax" or "sample". Sampled actions follow the seeds, but are others than the trainer's JAX draws.
      temperature: of sampled actions.
    """

    def __init__(
        self,
        model: Any,
        spec: TaskSpec,
        tokens: TokenConfig,
        *,
        text: Any = None,
        window: int = 1,
        drop: int = 0,
        decode: str = "argmax",
        temperature: float = 1.0,
    ):
        if window < 1 or decode not in ("argmax", "sample") or not temperature > 0:
            raise ValueError(
                f"expected a window of at least 1, decode 'argmax' or 'sample' and a positive temperature, found "
                f"{window}, {decode!r}, {temperature}"
            )
        self.model, self.spec = model, spec
        self.window, self.drop = window, min(window, drop or max(1, window // 4))
        self.decode, self.temperature = decode, temperature
        self.layout = TimestepLayout.build(spec, tokens)
        self._tokenizer = TimestepTokenizer(self.layout, text)
        self.reset(1)

    @classmethod
    def load(cls, model: Any, directory: Path, task: str, **options: Any) -> "Agent":
        """The agent of a task that `tasks.json` describes."""
        path = Path(directory) / "tasks.json"
        try:
            data = json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"{path}: expected tasks and how to act in them, found no whole JSON: {error}") from error
        if task not in data["tasks"]:
            raise ValueError(f"no task {task!r}; expected one of {sorted(data['tasks'])}")
        task_settings = data["tasks"][task]
        spec = TaskSpec.from_json(json.dumps(task_settings["spec"]))
        text = None
        if any(item.kind is Kind.TEXT for item in spec.observation):
            from .text import TextTokenizer

            text = TextTokenizer(Path(directory) / "tokenizer.model")
        own = {name: task_settings[name] for name in ("window", "drop", "decode", "temperature")}
        return cls(model, spec, token_config(data["tokens"]), text=text, **{**own, **options})

    def reset(self, seeds: int | Sequence[int] = 1) -> None:
        """Starts new episodes: their number, or a seed for each."""
        seeds = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
        self._names, self._step = [f"of seed {seed}" for seed in seeds], 0
        self.failures = Failures(len(seeds))
        self._random = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._history: list[Fields] = []
        self._cache: Any = None

    def act(self, observation: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> np.ndarray:
        """The action for an observation (nested dict as in the spec), or a stack of them for a list.

        An environment of several whose observation is not what the spec says, or for which the model's scores are not
        finite, stands in `failures` from then on; its actions are NaN, or -1 for integers. A single one is an error.
        """
        if isinstance(observation, Mapping):
            return self.act([observation])[0]
        return self._tokenizer.decode_environments(self.act_tokens(observation), self.failures)

    @torch.inference_mode()
    def act_tokens(self, observations: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Action ids [environments, action places]; -1 where an environment has failed.

        Raises:
          TimestepError: no environment is left; names the first.
        """
        rows = self.failures.rows
        if len(observations) != rows:
            raise ValueError(f"expected {rows} observations, as many as were reset, found {len(observations)}")
        origin = Origin(self._names, self._step)
        self._step += 1
        observed = self._tokenizer.encode_environments(observations, failures=self.failures, origin=origin)
        if len(self._history) >= self.window:
            self._history, self._cache = self._history[self.drop :], None
        if self._cache is None:
            logits = self._read(_join([*self._history, observed]), 0)
        else:
            logits = self._read(_join([observed]), len(self._history) * self.layout.length)
        layout, chosen = self.layout, []
        places = len(layout.action_low)
        start = len(self._history) * layout.length + layout.separator_place + 1
        for place in range(places):
            ids, finite = self._pick(logits, place)
            chosen.append(ids)
            for row in np.flatnonzero(~finite):
                self.failures.setdefault(int(row), self._tokenizer.no_action(int(row), origin))
            if place + 1 < places or self.window > 1:
                logits = self._read(self._action_fields(chosen[-1], place), start + place)
        tokens = np.stack(chosen, axis=1).astype(np.int32)
        if self.window > 1:
            self._history.append(self._timestep(observed, tokens.copy()))
        else:
            self._cache = None
        self.failures.check()
        tokens[list(self.failures)] = -1
        return tokens

    def _read(self, fields: Fields, start: int) -> torch.Tensor:
        """Appends places to the cache; scores behind the last one."""
        rows, count = fields["tokens"].shape
        fields["positions"] = np.broadcast_to(np.arange(start, start + count), (rows, count))
        device = self.model.embedding.tokens.device
        inputs = {
            name: torch.as_tensor(np.ascontiguousarray(array), device=device).to(
                torch.uint8 if name == "patches" else torch.int64
            )
            for name, array in fields.items()
        }
        output = self.model(**inputs, cache=self._cache, use_cache=True)
        self._cache = output.cache
        return output.logits[:, -1]

    def _pick(self, logits: torch.Tensor, place: int) -> tuple[np.ndarray, np.ndarray]:
        """An id for each environment, and whether its scores are finite."""
        low, high = int(self.layout.action_low[place]), int(self.layout.action_high[place])
        legal = logits[:, low:high]
        finite = legal.isfinite().all(-1)
        legal = torch.where(finite[:, None], legal, 0)
        if self.decode == "argmax":
            return low + legal.argmax(-1).cpu().numpy(), finite.cpu().numpy()
        shares = (legal / self.temperature).softmax(-1).cpu()
        ids = [
            int(torch.multinomial(row, 1, generator=random)) for row, random in zip(shares, self._random, strict=True)
        ]
        return low + np.array(ids), finite.cpu().numpy()

    def _action_fields(self, token: np.ndarray, place: int) -> Fields:
        ones = np.ones((len(token), 1), np.int64)
        return {
            "tokens": token[:, None],
            "token_type": ones * int(TokenType.ACTION),
            "observation_position": ones * int(self.layout.action_position[place]),
            "segment_ids": ones,
        }

    def _timestep(self, observed: Fields, tokens: np.ndarray) -> Fields:
        parts = [self._action_fields(tokens[:, place], place) for place in range(tokens.shape[1])]
        whole = {name: np.concatenate([observed[name], *(part[name] for part in parts)], axis=1) for name in FIELDS}
        return whole | {name: observed[name] for name in PATCHES}


def _join(parts: Sequence[Fields]) -> Fields:
    """Timesteps behind each other as the model's inputs; patch slots are shifted."""
    joined = {name: np.concatenate([part[name] for part in parts], axis=1) for name in FIELDS}
    if sum(part["patches"].shape[1] for part in parts if "patches" in part) == 0:
        return joined
    offsets = np.cumsum([0, *(part["tokens"].shape[1] for part in parts[:-1])])
    joined |= {name: np.concatenate([part[name] for part in parts], axis=1) for name in ("patches", "patch_interval")}
    slots = [part["patch_slot"] + offset for part, offset in zip(parts, offsets, strict=True)]
    return joined | {"patch_slot": np.concatenate(slots, axis=1)}


def token_config(data: Mapping[str, Any]) -> TokenConfig:
    """The settings in `tasks.json`."""
    vocabulary = data["vocabulary"]
    return TokenConfig(
        **{
            **data,
            "vocabulary": Vocabulary(vocabulary["text_size"], DiscreteIds(vocabulary["discrete"])),
            "companding": Companding(data["companding"]),
            "image_fit": ImageFit(data["image_fit"]),
            "action_positions": ActionPositions(data["action_positions"]),
        }
    )
