"""A plain PyTorch GPT that generates without a cache: `python torch_act.py SHAPE`, SHAPE as JSON; prints JSON.

Each token is the forward pass over the whole window, of which only the last place's scores are made.
"""

import json
import statistics
import sys
import time

import torch
from torch_gpt import GPT


def main() -> None:
    shape = json.loads(sys.argv[1])
    torch.manual_seed(0)
    model = GPT(shape).eval()
    rows, length = shape["rows"], shape["length"]
    tokens = torch.randint(0, shape["vocabulary"], (rows, length))
    positions = torch.arange(length).expand(rows, length)
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    times = []
    with torch.inference_mode():
        for _ in range(shape["tokens"] + 1):
            start = time.perf_counter()
            x = model.tokens(tokens) + model.positions(positions)
            for block in model.blocks:
                x = block(x, mask)
            chosen = (model.norm(x[:, -1]) @ model.tokens.weight.T).argmax(-1)
            tokens = torch.cat([tokens[:, 1:], chosen[:, None]], dim=1)
            times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(times[1:]), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
