"""Gato (Reed et al. 2022) in NumPy, to read: logits of some rows from `model.safetensors`; slow, and complete.

    python numpy_gato.py            # loads the weights of this directory and prints their names and shapes

Written by `gato export`; needs NumPy, the safetensors package to load, and check_digests.py beside it.
"""

import json
import math
import sys
from pathlib import Path

import check_digests  # beside this file
import numpy as np

MASKED = -1e30


class Weights:
    """Tensors of a directory by name, as float32: `weights("embedding.tokens")`."""

    def __init__(self, directory):
        index = directory / "model.safetensors.index.json"
        self._directory = directory
        self._where = json.loads(index.read_text())["weight_map"] if index.exists() else {}
        self._opened = {}

    def __call__(self, name):
        file = self._open(self._where.get(name, "model.safetensors"))
        return np.asarray(file.get_tensor(name)).astype(np.float32, copy=False)

    def names(self):
        """All of them."""
        return sorted(self._where or self._open("model.safetensors").keys())

    def _open(self, file):
        from safetensors import safe_open

        if file not in self._opened:
            self._opened[file] = safe_open(str(self._directory / file), framework="numpy")
        return self._opened[file]


def load(directory):
    """(config, weights): the JSON beside the weights, and the weights, all of which are compared with their digests."""
    directory = Path(directory)
    config = check_digests.read_json(directory / "config.json")
    check_digests.check(directory)
    if config["dtype"] == "bfloat16":
        import ml_dtypes  # noqa: F401 (NumPy knows the type once this is imported)
    return config, Weights(directory)


def forward(config, w, fields):
    """Scores [B, N, vocabulary] of the id behind each place.

    Args:
      config, w: as `load` gives them.
      fields: tokens, token_type, observation_position, positions, segment_ids [B, N]; patches [B, P, 768], patch_slot
        [B, P], patch_interval [B, P, 4] where there are any.
    """
    kind, segments = fields["token_type"], fields["segment_ids"]
    rows, count = kind.shape
    tokens, local = w("embedding.tokens"), fields["observation_position"]
    x = np.where((kind > 1)[..., None], tokens[fields["tokens"]], 0)
    x = x + np.where((local > 0)[..., None], w("embedding.local")[np.maximum(local - 1, 0)], 0)
    if config["positions"] == "learned":
        x = x + w("embedding.positions")[fields["positions"]]
    if "patches" in fields and fields["patches"].shape[1]:
        embedded = patches(config, w, fields["patches"].reshape(-1, 768), fields["patch_interval"].reshape(-1, 4))
        embedded = embedded.reshape(rows, -1, x.shape[-1])
        for row, slots in enumerate(fields["patch_slot"]):
            for patch, slot in enumerate(slots):
                if slot < count:
                    x[row, slot] += embedded[row, patch]
    index = np.arange(count)
    key_segments = np.where(kind == 0, 0, segments)
    visible = (index[:, None] >= index)[None] & (segments[:, :, None] == key_segments[:, None])
    visible &= (key_segments > 0)[:, None]
    for layer in range(config["layers"]):
        block = f"transformer.blocks.layer_{layer:02d}."
        x = x + attention(
            config, w, block + "attention.", norm(config, w, block + "attention_norm", x), fields, visible
        )
        y, path = norm(config, w, block + "feed_forward_norm", x), block + "feed_forward."
        x = x + (gelu(y @ w(path + "gate")) * (y @ w(path + "value"))) @ w(path + "out")
    return norm(config, w, "transformer.norm", x) @ tokens.T


def attention(config, w, path, x, fields, visible):
    """Multi-head attention with one of four position schemes."""
    rows, count, width = x.shape
    heads, size = config["heads"], config["head_size"]

    def split(flat):
        return flat.reshape(rows, -1, heads, size).transpose(0, 2, 1, 3)

    query, key, value = x @ w(path + "query"), split(x @ w(path + "key")), split(x @ w(path + "value"))
    scores = np.zeros((1, 1, 1, 1), np.float32)
    if config["positions"] == "transformer_xl":
        frequency = 10_000.0 ** (-np.arange(0, width, 2, dtype=np.float32) / width)
        angle = np.arange(count, dtype=np.float32)[:, None] * frequency
        table = np.concatenate([np.sin(angle), np.cos(angle)], -1).astype(np.float32) @ w(path + "relative")
        distances = table.reshape(count, heads, size).transpose(1, 2, 0)
        by_distance = split(query + w(path + "position_bias")) @ distances / math.sqrt(size)
        index = np.arange(count)
        distance = np.clip(index[:, None] - index, 0, count - 1)
        scores = np.take_along_axis(by_distance, np.broadcast_to(distance, by_distance.shape), -1)
        query = query + w(path + "content_bias")
    query = split(query)
    if config["positions"] == "rotary":
        query, key = (rotate(part, fields["positions"]) for part in (query, key))
    scores = scores + query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(size))
    scores = np.where(visible[:, None], scores, np.float32(MASKED))
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = (shares / shares.sum(-1, keepdims=True)) @ value
    return mixed.transpose(0, 2, 1, 3).reshape(rows, count, heads * size) @ w(path + "out")


def rotate(x, positions):
    """Rotary embedding: pairs (i, i + size/2)."""
    half = x.shape[-1] // 2
    angle = positions[:, None, :, None] * 10_000.0 ** (-np.arange(half, dtype=np.float32) / half)
    sin, cos = np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


def patches(config, w, pixels, interval):
    """[n, 768] bytes -> [n, width]: a pre-activation residual block per patch, and the patch's place."""
    path = "embedding.patches."
    x = ((pixels.astype(np.float32) / 127.5 - 1) / 4).reshape(-1, 16, 16, 3)
    x = convolve(x, w(path + "stem"))
    y = convolve(gelu(group_norm(config, w, path + "norm_1", x)), w(path + "conv_1"))
    y = convolve(gelu(group_norm(config, w, path + "norm_2", y)), w(path + "conv_2"))
    x = convolve(x + y, w(path + "head")).reshape(-1, 768) @ w(path + "project")
    place = np.clip((interval[:, 0::2] + interval[:, 1::2] + 1) // 2, 0, 127)
    return x + w(path + "rows")[place[:, 0]] + w(path + "columns")[place[:, 1]]


def convolve(x, kernel):
    """[n, h, w, c] with a [height, width, c, d] kernel, zeros around."""
    height, width = kernel.shape[:2]
    padded = np.pad(x, [(0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)])
    rows, columns = x.shape[1:3]
    return sum(padded[:, i : i + rows, j : j + columns] @ kernel[i, j] for i in range(height) for j in range(width))


def norm(config, w, name, x):
    """Layer or RMS normalisation with a scale."""
    if config["norm"] == "layer":
        x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + np.float32(1e-6)) * w(name + ".scale")


def group_norm(config, w, name, x):
    """Normalises each group of channels over the pixels of a patch."""
    groups = x.reshape(len(x), -1, config["patch_groups"], x.shape[-1] // config["patch_groups"])
    groups = groups - groups.mean((1, 3), keepdims=True)
    groups = groups / np.sqrt(np.square(groups).mean((1, 3), keepdims=True) + np.float32(1e-6))
    return groups.reshape(x.shape) * w(name + ".scale") + w(name + ".bias")


def gelu(x):
    """The tanh form, as jax.nn.gelu has it."""
    return 0.5 * x * (1 + np.tanh(np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x**3)))


if __name__ == "__main__":
    configuration, tensors = load(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    print({key: value for key, value in configuration.items() if key != "gato"})
    for tensor in tensors.names():
        print(tensor, tensors(tensor).shape)
