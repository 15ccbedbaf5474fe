"""Loads an exported directory with its own runtime and compares it with a reference: `python -I fresh_process.py ...`.

Arguments: format, directory, reference (npz), and packages that the format works without. Prints one JSON line. Runs in
any Python that has the runtime; this file imports nothing of gato-jax, and makes sure that nothing else does either.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

OURS = ("gato_jax", "data_pipelines", "experiments")
BATCH_FIELDS = ("tokens", "token_type", "observation_position", "positions", "segment_ids")
PATCH_FIELDS = ("patches", "patch_slot", "patch_interval")


def forbid(names):
    """Makes importing these an ImportError, wherever they are installed."""
    for name in names:
        modules: dict[str, Any] = sys.modules
        modules[name] = None


def open_safetensors(directory):
    """The NumPy model beside the weights."""
    sys.path.insert(0, directory)
    import numpy_gato

    config, weights = numpy_gato.load(directory)
    return {"float32": lambda fields: numpy_gato.forward(config, weights, fields)}, None


def open_huggingface(directory):
    """`AutoModel`: computing in float32, in the type of the file too where that is another, and the agent."""
    import torch
    from transformers import AutoModel

    def load(dtype):
        model, report = AutoModel.from_pretrained(
            directory, trust_remote_code=True, dtype=dtype, output_loading_info=True
        )
        wrong = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
        if wrong:
            raise RuntimeError(f"from_pretrained reports {wrong}")
        return model.eval()

    def run(model):
        def logits(fields):
            inputs = {
                name: torch.from_numpy(array).to(torch.uint8 if name == "patches" else torch.int64)
                for name, array in fields.items()
            }
            with torch.inference_mode():
                return model(**inputs).logits.numpy()

        return logits

    model = load(torch.float32)
    runs = {"float32": run(model)}
    stored = read_json(directory, "config.json")["dtype"]
    if stored != "float32":
        runs[stored] = run(load(getattr(torch, stored)))

    def act(task, observations):
        import numpy as np

        agent = model.agent(task, decode="argmax")
        agent.reset(1)
        steps = len(next(iter(observations.values())))
        tokens = []
        for step in range(steps):
            tree: dict[str, Any] = {}
            for key, values in observations.items():
                *parents, name = key.split("/")
                node = tree
                for part in parents:
                    node = node.setdefault(part, {})
                node[name] = values[step]
            tokens.append(agent.act_tokens([tree])[0])
        return np.stack(tokens)

    return runs, act


def open_stablehlo(directory):
    """`jax.export.deserialize`, and the weights from safetensors."""
    import jax
    from safetensors import safe_open

    def function(name):
        with open(os.path.join(directory, name + ".stablehlo"), "rb") as file:
            return jax.export.deserialize(bytearray(file.read()))

    forward, prefill, extend, decode = (function(name) for name in ("forward", "prefill", "extend", "decode"))
    index = os.path.join(directory, "model.safetensors.index.json")
    files = ["model.safetensors"]
    if os.path.exists(index):
        files = sorted(set(read_json(directory, "model.safetensors.index.json")["weight_map"].values()))
    weights: dict[str, Any] = {}
    for name in files:
        path = os.path.join(directory, name)
        with safe_open(path, framework="numpy") as file:
            keys = list(file.keys())
        for key in keys:
            # Opened anew for each tensor: what was mapped to read it then does not stand beside all the copies.
            with safe_open(path, framework="numpy") as file:
                weights[key] = jax.block_until_ready(jax.device_put(file.get_tensor(key)))

    def whole(fields):
        return forward.call(weights, with_patches(fields))

    def in_pieces(fields):
        """All but the last three places at once, one through `extend`, two through `decode`."""
        import numpy as np

        count = fields["tokens"].shape[1]
        cut = lambda low, high: {name: fields[name][:, low:high] for name in BATCH_FIELDS}  # noqa: E731
        first = cut(0, count - 3) | {name: fields[name] for name in PATCH_FIELDS if name in fields}
        if "patch_slot" in first:
            if (first["patch_slot"][first["patch_slot"] < count] >= count - 3).any():
                return None
            first["patch_slot"] = np.minimum(first["patch_slot"], count - 3)
        if (fields["segment_ids"] != 1).any():
            return None  # several sequences in a row, or padding: the cache holds one
        logits, cache = prefill.call(weights, with_patches(first))
        pieces = [logits]
        logits, cache = extend.call(weights, cache, with_patches(cut(count - 3, count - 2)))
        pieces.append(logits)
        for place in (count - 2, count - 1):
            logits, cache = decode.call(weights, cache, cut(place, place + 1))
            pieces.append(logits)
        return np.concatenate([np.asarray(part) for part in pieces], axis=1)

    return {"float32": whole, "cached": in_pieces}, None


def open_savedmodel(directory):
    """TensorFlow's loader and the serving signature."""
    import tensorflow as tf

    loaded = tf.saved_model.load(directory)
    serve = loaded.signatures["serving_default"]

    def logits(fields, keep=loaded):  # its variables live as long as it does
        return serve(**{name: tf.constant(array) for name, array in with_patches(fields).items()})["logits"].numpy()

    return {"float32": logits}, None


def open_onnx(directory):
    """onnxruntime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(os.path.join(directory, "model.onnx"), providers=["CPUExecutionProvider"])

    def logits(fields):
        import numpy as np

        fields = with_patches(fields)
        inputs = {name: array if name == "patches" else array.astype(np.int64) for name, array in fields.items()}
        return session.run(["logits"], inputs)[0]

    return {"float32": logits}, None


OPENERS = {
    "safetensors": open_safetensors,
    "huggingface": open_huggingface,
    "stablehlo": open_stablehlo,
    "savedmodel": open_savedmodel,
    "onnx": open_onnx,
}
"""Format -> a function that loads a directory: {way to run: fields -> logits}, and how its agent acts, or None."""


def with_patches(fields):
    """The fields, with one unused patch where there is none: compiled functions have fixed inputs."""
    import numpy as np

    if "patches" in fields:
        return fields
    rows, count = fields["tokens"].shape
    return {
        **fields,
        "patches": np.zeros((rows, 1, 768), np.uint8),
        "patch_slot": np.full((rows, 1), count, np.int32),
        "patch_interval": np.zeros((rows, 1, 4), np.int32),
    }


def compare(runs, act, reference):
    """Largest differences of the logits of each way to run, and how many greedy tokens agree."""
    import numpy as np

    comparison: dict[str, Any] = {"differences": {}, "largest": 0.0, "logits": 0, "greedy": {}, "ties": 0}
    cases: dict[tuple[str, int], dict[str, Any]] = {}
    for name in reference.files:
        kind, number, field = name.split("/", 2)
        cases.setdefault((kind, int(number)), {})[field] = reference[name]
    for (kind, _), case in sorted(cases.items()):
        if kind == "acting":
            continue
        inputs = {name: case[name] for name in (*BATCH_FIELDS, *PATCH_FIELDS) if name in case}
        valid = case["token_type"] > 0
        places = case["high"] > case["low"]
        for way, run in runs.items():
            logits = run(inputs)
            if logits is None:
                continue
            logits = np.asarray(logits)
            if logits.shape != case["expected"].shape or not np.isfinite(logits[valid]).all():
                raise RuntimeError(f"{way}: expected finite logits {case['expected'].shape}, found {logits.shape}")
            difference = float(np.abs(logits - case["expected"])[valid].max())
            comparison["differences"][way] = max(comparison["differences"].get(way, 0.0), difference)
            comparison["largest"] = max(comparison["largest"], float(np.abs(case["expected"][valid]).max()))
            ids = np.arange(logits.shape[-1])
            legal = (ids >= case["low"][..., None]) & (ids < case["high"][..., None])
            greedy = np.where(legal, logits, -np.inf).argmax(-1)[places]
            expected = case["greedy"][places]
            scores = case["expected"][places]
            rows = np.arange(len(expected))
            gap = scores[rows, expected] - scores[rows, greedy]
            same, total = comparison["greedy"].get(way, (0, 0))
            # A tie: our own scores of the two ids are closer than the difference that is allowed.
            tied = (greedy != expected) & (gap < 1e-4)
            comparison["ties"] += int(tied.sum())
            comparison["greedy"][way] = (same + int((greedy == expected).sum() + tied.sum()), total + len(expected))
        comparison["logits"] += int(valid.sum()) * case["expected"].shape[-1]
    if act is not None:
        same = total = 0
        for (kind, _), case in sorted(cases.items()):
            if kind == "acting":
                task, expected = str(case.pop("task")), case.pop("expected")
                tokens = act(task, case)
                same, total = same + int((tokens == expected).sum()), total + expected.size
        comparison["acting"] = (same, total)
    return comparison


def check_digests(directory):
    """What lies on the disk is what was written, bit for bit: digests were made from the values in memory."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", os.path.join(directory, "check_digests.py"), directory],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def read_json(directory, name):
    """A JSON file of the export."""
    with open(os.path.join(directory, name)) as file:
        return json.load(file)


def main():
    """Loads, compares, prints."""
    form, directory, path, *hidden = sys.argv[1:]
    forbidden = (*OURS, *hidden)
    forbid(forbidden)
    import numpy as np

    check_digests(directory)
    started = time.monotonic()
    runs, act = OPENERS[form](directory)
    report: dict[str, Any] = {"load_seconds": time.monotonic() - started}
    with np.load(path, allow_pickle=False) as reference:
        report |= compare(runs, act, reference)
    loaded = [name for name in sys.modules if name.split(".")[0] in forbidden and sys.modules[name] is not None]
    if loaded:
        raise RuntimeError(f"the runtime imported {loaded}")
    report["seconds"] = time.monotonic() - started
    report["modules"] = {
        name: getattr(sys.modules[name], "__version__", "")
        for name in ("numpy", "safetensors", "torch", "transformers", "jax", "tensorflow", "onnxruntime")
        if sys.modules.get(name) is not None
    }
    report["python"] = sys.version.split()[0]
    with open("/proc/self/status") if os.path.exists("/proc/self/status") else open(os.devnull) as status:
        peak = [line.split()[1] for line in status if line.startswith("VmHWM")]
    report["peak_bytes"] = int(peak[0]) * 1024 if peak else 0
    print(json.dumps(report))


if __name__ == "__main__":
    main()
