"""A plain PyTorch GPT of the shape that `benchmarks/train_step.py` trains, timed on request.

Pre-norm, GEGLU, learned positions, tied head, no biases, AdamW, float32; attention is PyTorch's own
`scaled_dot_product_attention` under the mask of the packed rows. Reads the shape as JSON on its first line, then a
number of steps a line, and answers with the seconds of each.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, shape: dict):
        super().__init__()
        width, inner, hidden = shape["width"], shape["heads"] * shape["head_size"], shape["hidden"]
        self.heads = shape["heads"]
        self.norm_1, self.norm_2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.out = nn.Linear(width, 3 * inner, bias=False), nn.Linear(inner, width, bias=False)
        self.up, self.down = nn.Linear(width, 2 * hidden, bias=False), nn.Linear(hidden, width, bias=False)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        rows, length, _ = x.shape
        parts = self.qkv(self.norm_1(x)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, length, -1))
        gate, value = self.up(self.norm_2(x)).chunk(2, dim=-1)
        return x + self.down(functional.gelu(gate, approximate="tanh") * value)


class GPT(nn.Module):
    def __init__(self, shape: dict):
        super().__init__()
        self.tokens = nn.Embedding(shape["vocabulary"], shape["width"])
        self.positions = nn.Embedding(shape["length"], shape["width"])
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape["layers"]))
        self.norm = nn.LayerNorm(shape["width"], bias=False)
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.positions(positions)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x) @ self.tokens.weight.T


def main() -> None:
    shape = json.loads(sys.stdin.readline())
    torch.manual_seed(0)
    model = GPT(shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
    rows, length, packed = shape["rows"], shape["length"], shape["segments"]
    tokens = torch.randint(0, shape["vocabulary"], (rows, length))
    segments = torch.arange(length) * packed // length
    positions = torch.arange(length) - segments * (length // packed)
    mask = (segments[:, None] == segments[None]) & torch.ones(length, length, dtype=torch.bool).tril()
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            logits = model(tokens, positions, mask)
            loss = functional.cross_entropy(logits[:, :-1].reshape(-1, shape["vocabulary"]), tokens[:, 1:].reshape(-1))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
