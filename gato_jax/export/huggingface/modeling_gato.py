"""Gato (Reed et al. 2022) in PyTorch: `AutoModel.from_pretrained(DIR, trust_remote_code=True)`.

Written by `gato export`, and complete: it needs PyTorch and transformers only. Weights keep the layout that they were
trained in ([in, out] matrices, channels-last kernels), so the files hold the very same numbers.

Dimensions: B rows, N new places, K keys (places seen so far and the new ones), P patches, D width.
"""

import dataclasses
import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .check_digests import check
from .configuration_gato import GatoConfig

PADDING, PATCH = 0, 1
PATCH_SIDE, INTERVAL_STEPS = 16, 128
MASKED = -1e30


@dataclasses.dataclass
class GatoOutput(ModelOutput):
    """Scores of the next place's id [B, N, vocabulary] in float32, normed output of the last block [B, N, D], cache."""

    logits: Tensor | None = None
    last_hidden_state: Tensor | None = None
    cache: "GatoCache | None" = None


@dataclasses.dataclass
class GatoCache:
    """Keys and values of every block, [B, heads, K, size], and which places may be seen, [B, K]."""

    keys: list[Tensor]
    values: list[Tensor]
    segments: Tensor

    @property
    def size(self) -> int:
        """Places held."""
        return self.segments.shape[1]


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape))


class Norm(nn.Module):
    """Layer or RMS normalisation in float32, with a scale."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        self.centred = config.norm == "layer"
        self.scale = _parameter(config.width)

    def forward(self, x: Tensor) -> Tensor:
        y = x.float()
        if self.centred:
            y = y - y.mean(-1, keepdim=True)
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-6)
        return (y * self.scale.float()).to(x.dtype)


class GroupNorm(nn.Module):
    """Normalises each group of channels over the pixels of a patch."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        self.groups = config.patch_groups
        self.scale, self.bias = _parameter(config.patch_channels), _parameter(config.patch_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x.float(), self.groups, self.scale.float(), self.bias.float(), eps=1e-6).to(x.dtype)


def _conv(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolution of channels-first pictures with a [height, width, in, out] kernel."""
    return F.conv2d(x, kernel.permute(3, 2, 0, 1), padding="same")


class PatchEmbedding(nn.Module):
    """One pre-activation ResNet block per 16x16 patch, and the patch's place in its image."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        channels, width = config.patch_channels, config.width
        self.stem = _parameter(3, 3, 3, channels)
        self.norm_1, self.norm_2 = GroupNorm(config), GroupNorm(config)
        self.conv_1, self.conv_2 = _parameter(3, 3, channels, channels), _parameter(3, 3, channels, channels)
        self.head = _parameter(1, 1, channels, 3)
        self.project = _parameter(PATCH_SIDE * PATCH_SIDE * 3, width)
        self.rows, self.columns = _parameter(INTERVAL_STEPS, width), _parameter(INTERVAL_STEPS, width)

    def forward(self, patches: Tensor, interval: Tensor) -> Tensor:
        """uint8 [n, 768] and their intervals [n, 4] -> [n, D]."""
        pixels = ((patches.float() / 127.5 - 1.0) / PATCH_SIDE**0.5).to(self.project.dtype)
        x = _conv(pixels.reshape(-1, PATCH_SIDE, PATCH_SIDE, 3).permute(0, 3, 1, 2), self.stem)
        y = _conv(F.gelu(self.norm_1(x), approximate="tanh"), self.conv_1)
        y = _conv(F.gelu(self.norm_2(y), approximate="tanh"), self.conv_2)
        x = _conv(x + y, self.head).permute(0, 2, 3, 1).reshape(-1, PATCH_SIDE * PATCH_SIDE * 3) @ self.project
        low, high = interval[:, 0::2], interval[:, 1::2]
        place = ((low + high + 1) // 2).clamp(0, INTERVAL_STEPS - 1)
        return x + self.rows[place[:, 0]] + self.columns[place[:, 1]]


class Embedding(nn.Module):
    """From ids and pixels to vectors, and the tied table that gives the scores."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        self.tokens = _parameter(config.vocabulary, config.width)
        self.local = _parameter(config.local_positions, config.width)
        self.patches = PatchEmbedding(config)
        if config.positions == "learned":
            self.positions = _parameter(config.max_positions, config.width)

    def forward(self, fields: dict[str, Tensor]) -> Tensor:
        kind, local = fields["token_type"], fields["observation_position"]
        has_id = (kind != PATCH) & (kind != PADDING)
        x = torch.where(has_id[..., None], self.tokens[fields["tokens"]], 0)
        x = x + torch.where((local > 0)[..., None], self.local[(local - 1).clamp(min=0)], 0)
        if hasattr(self, "positions"):
            x = x + self.positions[fields["positions"]]
        if fields.get("patches") is None or fields["patches"].shape[1] == 0:
            return x
        rows, length, width = x.shape
        count = fields["patches"].shape[1]
        patches = self.patches(fields["patches"].reshape(rows * count, -1), fields["patch_interval"].reshape(-1, 4))
        # Unused patches have a slot past the end: they land on a place that is cut off again.
        slots = fields["patch_slot"].clamp(max=length)[..., None].expand(-1, -1, width)
        added = x.new_zeros(rows, length + 1, width).scatter_add(1, slots, patches.reshape(rows, count, width))
        return x + added[:, :length]


@dataclasses.dataclass
class Places:
    """Where queries and keys stand."""

    index: Tensor
    """[N] of the queries, among the keys."""
    positions: Tensor
    visible: Tensor
    """[B, N, K]: which keys a query sees."""


def _rotate(x: Tensor, positions: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    frequency = 10_000.0 ** (-torch.arange(half, dtype=torch.float32, device=x.device) / half)
    angle = positions.float()[:, None, :, None] * frequency
    sin, cos = angle.sin(), angle.cos()
    first, second = x[..., :half].float(), x[..., half:].float()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(x.dtype)


class Attention(nn.Module):
    """Attention with one of four position schemes."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        self.heads, self.size, self.positions = config.heads, config.head_size, config.positions
        inner = config.heads * config.head_size
        self.query, self.key, self.value = (_parameter(config.width, inner) for _ in range(3))
        self.out = _parameter(inner, config.width)
        if self.positions == "transformer_xl":
            self.relative = _parameter(config.width, inner)
            self.content_bias, self.position_bias = _parameter(inner), _parameter(inner)

    def split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], self.heads, self.size).transpose(1, 2)

    def forward(
        self, x: Tensor, places: Places, memory: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """[B, N, D], and keys and values of the places before; returns the same with the new ones behind."""
        query, key, value = x @ self.query, self.split(x @ self.key), self.split(x @ self.value)
        if self.positions == "rotary":
            key = _rotate(key, places.positions)
        if memory is not None:
            key, value = torch.cat([memory[0], key], 2), torch.cat([memory[1], value], 2)
        relative = None
        if self.positions == "transformer_xl":
            relative = self._relative(self.split(query + self.position_bias), places, key.shape[2])
            query = query + self.content_bias
        query = self.split(query)
        if self.positions == "rotary":
            query = _rotate(query, places.positions)
        query = query * torch.tensor(1 / math.sqrt(self.size), dtype=query.dtype, device=query.device)
        scores = query.float() @ key.float().transpose(-1, -2)
        if relative is not None:
            scores = scores + relative
        scores = torch.where(places.visible[:, None], scores, MASKED)
        mixed = (scores.softmax(-1).to(value.dtype) @ value).transpose(1, 2).flatten(2)
        return mixed @ self.out, (key, value)

    def _relative(self, query: Tensor, places: Places, keys: int) -> Tensor:
        """q . r(i - j) / sqrt(size), with sinusoids of the distance (Dai et al. 2019)."""
        width = self.relative.shape[0]
        frequency = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float32, device=query.device) / width)
        angle = torch.arange(keys, dtype=torch.float32, device=query.device)[:, None] * frequency
        table = torch.cat([angle.sin(), angle.cos()], -1).to(query.dtype) @ self.relative
        distances = table.reshape(-1, self.heads, self.size).permute(1, 2, 0)
        scores = query.float() @ distances.float() * (1 / math.sqrt(self.size))
        key_index = torch.arange(keys, device=query.device)
        distance = (places.index[:, None] - key_index).clamp(0, keys - 1)
        return scores.gather(-1, distance.expand(*scores.shape[:2], -1, -1))


class FeedForward(nn.Module):
    """GEGLU: (gelu(x G) * x V) O."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        self.gate, self.value = (_parameter(config.width, config.gate_width) for _ in range(2))
        self.out = _parameter(config.gate_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return (F.gelu(x @ self.gate, approximate="tanh") * (x @ self.value)) @ self.out


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        self.attention_norm, self.attention = Norm(config), Attention(config)
        self.feed_forward_norm, self.feed_forward = Norm(config), FeedForward(config)

    def forward(
        self, x: Tensor, places: Places, memory: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        mixed, memory = self.attention(self.attention_norm(x), places, memory)
        x = x + mixed
        return x + self.feed_forward(self.feed_forward_norm(x)), memory


class Transformer(nn.Module):
    """All blocks and the last norm."""

    def __init__(self, config: GatoConfig):
        super().__init__()
        self.blocks = nn.ModuleDict({f"layer_{layer:02d}": Block(config) for layer in range(config.layers)})
        self.norm = Norm(config)


class GatoModel(PreTrainedModel):
    """The network, and an agent around it: `model.agent(task)`."""

    config_class = GatoConfig
    base_model_prefix = ""
    main_input_name = "tokens"
    _no_split_modules = ["Block"]  # noqa: RUF012 (as transformers has it)

    def __init__(self, config: GatoConfig):
        super().__init__(config)
        self.embedding, self.transformer = Embedding(config), Transformer(config)
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """As transformers has it; the files of a directory are compared with their digests before."""
        if pretrained_model_name_or_path is not None and Path(pretrained_model_name_or_path).is_dir():
            check(pretrained_model_name_or_path)
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def _init_weights(self, module: nn.Module) -> None:
        """Weights come from a file; a missing one is an error of `from_pretrained`'s report, not a random number."""

    def forward(
        self,
        tokens: Tensor,
        token_type: Tensor,
        observation_position: Tensor,
        positions: Tensor,
        segment_ids: Tensor,
        patches: Tensor | None = None,
        patch_slot: Tensor | None = None,
        patch_interval: Tensor | None = None,
        cache: GatoCache | None = None,
        use_cache: bool = False,
        **unused: Any,
    ) -> GatoOutput:
        """Reads N places of B rows, behind those that `cache` holds.

        Args:
          tokens: id of each place [B, N]; 0 where a patch or padding stands.
          token_type: 0 padding, 1 patch, 2 observation, 3 separator, 4 action, 5 text.
          observation_position: place inside the observation + 1, 0 where it has none.
          positions: place inside the sequence.
          segment_ids: sequences of a row see themselves only; 0 is padding. With a cache, one sequence per row.
          patches: uint8 [B, P, 768], 16x16 RGB in raster order.
          patch_slot: which of the N places a patch fills [B, P]; N = unused.
          patch_interval: row low, row high, column low, column high in 128ths [B, P, 4].
          use_cache: return a cache with these places in it.
        """
        length = positions.shape[1] if cache is None else cache.size + positions.shape[1]
        if self.config.positions == "learned" and length > self.config.max_positions:
            raise ValueError(f"{length} places exceed the {self.config.max_positions} rows of the position table")
        fields = {
            "tokens": tokens,
            "token_type": token_type,
            "observation_position": observation_position,
            "positions": positions,
            "patches": patches,
            "patch_slot": patch_slot,
            "patch_interval": patch_interval,
        }
        x = self.embedding(fields)
        query_segments = segment_ids
        key_segments = torch.where(token_type == PADDING, 0, segment_ids)
        start = 0
        if cache is not None:
            query_segments = (query_segments > 0).to(cache.segments.dtype)
            key_segments = (key_segments > 0).to(cache.segments.dtype)
            key_segments = torch.cat([cache.segments, key_segments], 1)
            start = cache.size
        index = start + torch.arange(tokens.shape[1], device=tokens.device)
        key_index = torch.arange(key_segments.shape[1], device=tokens.device)
        causal = index[:, None] >= key_index
        same = query_segments[:, :, None] == key_segments[:, None, :]
        places = Places(index, positions, causal[None] & same & (key_segments > 0)[:, None, :])
        keys, values = [], []
        for number, block in enumerate(self.transformer.blocks.values()):
            memory = None if cache is None else (cache.keys[number], cache.values[number])
            x, (key, value) = block(x, places, memory)
            keys.append(key)
            values.append(value)
        x = self.transformer.norm(x)
        logits = x.float() @ self.embedding.tokens.float().T
        return GatoOutput(logits, x, GatoCache(keys, values, key_segments) if use_cache else None)

    def agent(self, task: str, **options: Any) -> Any:
        """An agent that acts in a task: `agent.reset(1)`, then `action = agent.act(observation)` for each timestep.

        Reads `tasks.json` and the tokenizers (package `gato_agent`) in the directory that the model was loaded from.

        Args:
          task: a name in tasks.json.
          options: of `gato_agent.Agent`: window, drop, decode, temperature.
        """
        directory = Path(self.config._name_or_path)
        return _package(directory).Agent.load(self, directory, task, **options)


def _package(directory: Path) -> Any:
    path = directory / "gato_agent" / "__init__.py"
    if not path.is_file():
        raise FileNotFoundError(f"{directory}: expected the package gato_agent beside the weights; download them all")
    name = f"gato_agent_{abs(hash(str(directory.resolve())))}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
