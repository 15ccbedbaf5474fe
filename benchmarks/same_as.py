"""Whether the code of the working tree computes what another commit's code computes, bit for bit.

    JAX_PLATFORMS=cpu python -m benchmarks.same_as COMMIT [--json]

Both run on this machine, with this interpreter's packages, over the frozen data of `tests/compatibility`. Compared are
the batches and positions of its configurations; losses, gradient norms and batch hashes of ten steps of `gato train`
over one of them (decimals that a float survives, so equal ones are equal bits); every tensor of the last checkpoint as
`gato export` writes it, those of the optimizer too; and the StableHLO programs. Exit code 1 when anything differs. It
takes about three minutes on two idle cores.

Modules may have moved between the commits: programs are run by the command line, whose module has kept its name, and
what a probe needs beside that is searched in the sources by its definition.
"""

import argparse
import concurrent.futures
import hashlib
import importlib.util
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FROZEN = ROOT / "tests" / "compatibility" / "frozen_data.py"
TRAINED = "two_groups"
"""The configuration that is trained on: texts, cells, pictures, two row groups."""
STEPS = 10

MODEL = {
    "width": 32, "layers": 2, "heads": 2, "head_size": 8, "hidden": 32, "max_length": 160, "patch_channels": 4,
    "patch_groups": 2, "stochastic_depth": 0.1, "dropout": 0.1,
}  # fmt: skip
TRAIN = {"steps": STEPS, "log_every": 1, "checkpoint_every": STEPS, "distributed": "off"}
OPTIMIZER = {"learning_rate": 0.01, "warmup_steps": 2}

PROBE = '''
"""Digests of batches: python -c PROBE TREE FROZEN CONFIG..., the text is the same for all commits."""
import importlib, importlib.util, json, pathlib, re, sys

tree, frozen_path, *configs = sys.argv[1:]
spec = importlib.util.spec_from_file_location("frozen_data", frozen_path)
frozen = importlib.util.module_from_spec(spec)
spec.loader.exec_module(frozen)
PACKAGES = [
    path.parent for root in (tree, tree + "/src") for path in sorted(pathlib.Path(root).glob("*/__init__.py"))
    if path.parent.name not in ("tests", "benchmarks", "experiments")
]


def find(definition):
    """The one object of the tree's packages that a top-level line such as "class Stream" defines."""
    pattern = re.compile(rf"^{re.escape(definition)}\\b", re.MULTILINE)
    files = [path for package in PACKAGES for path in package.rglob("*.py") if pattern.search(path.read_text())]
    if len(files) != 1:
        raise LookupError(f"{definition!r}: expected one module that defines it, found {[str(path) for path in files]}")
    root = next(package.parent for package in PACKAGES if package in files[0].parents)
    parts = files[0].relative_to(root).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    if pathlib.Path(module.__file__).resolve() != files[0].resolve():
        raise ImportError(f"expected {files[0]}, imported {module.__file__}")
    return getattr(module, definition.split()[1])


Stream, load_experiment = find("class Stream"), find("def load_experiment")
for config in configs:
    stream = Stream(load_experiment(config).data)
    steps = [frozen.digests(next(stream)) for _ in range(frozen.STEPS)]
    stream.close()
    found = {"digests": frozen.joined(steps), "position": stream.position()}
    print(json.dumps({pathlib.Path(config).stem: found}), flush=True)
'''

TEXT_PROBE = """
import hashlib, json, pathlib, re, sys
import jax.export

LOCATION = re.compile(r' loc\\((?:"[^"]*"\\()?(?:#loc[0-9]*|unknown)\\)?\\)|^#loc.*\\n?', re.MULTILINE)
found = {}
for path in map(pathlib.Path, sys.argv[1:]):
    text = LOCATION.sub("", jax.export.deserialize(path.read_bytes()).mlir_module())
    found[path.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
print(json.dumps(found))
"""
"""Digests of StableHLO programs as text, without the paths and lines of the sources that they were traced from."""

NUMBERS = ("loss", "group_loss", "task_loss", "gradient_norm", "learning_rate", "batch_hash")
"""Of a record in metrics.jsonl; the others are times."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="anything that git knows as a commit")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        trees = {"there": check_out(arguments.commit, work / "tree"), "here": ROOT}
        write_configs(work)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            running = {side: pool.submit(look, tree, work, work / side) for side, tree in trees.items()}
            there, here = (running[side].result() for side in ("there", "here"))
    rows = list(compare(there, here))
    if arguments.json:
        print(json.dumps([{"item": item, "equal": not text, "difference": text} for item, text in rows], indent=2))
    else:
        width = max(len(item) for item, _ in rows)
        print("\n".join(f"{item:<{width}}  {text or 'equal'}" for item, text in rows))
    sys.exit(any(text for _, text in rows))


def check_out(commit: str, tree: pathlib.Path) -> pathlib.Path:
    """The files of a commit, outside of the repository."""
    done = subprocess.run(["git", "archive", "--format=tar", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(tree, filter="data")
    return tree


def frozen_data():
    """The module `tests/compatibility/frozen_data.py`: test directories are no packages."""
    spec = importlib.util.spec_from_file_location("frozen_data", FROZEN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_configs(work: pathlib.Path) -> None:
    """The frozen data, and an experiment over it for each configuration, as a resolved config.json."""
    frozen = frozen_data()
    frozen.unpack(work)
    (work / "configs").mkdir()
    for name in frozen.CONFIGURATIONS:
        experiment = {"name": name, "data": frozen.located(name, work), "model": MODEL, "train": TRAIN}
        (work / "configs" / f"{name}.json").write_text(json.dumps({**experiment, "optimizer": OPTIMIZER}))


def look(tree: pathlib.Path, work: pathlib.Path, out: pathlib.Path) -> dict:
    """Everything that is compared of one tree: {item: JSON-able}."""
    out.mkdir()
    configs = sorted((work / "configs").glob("*.json"))
    lines = run(tree, out, "-c", PROBE, str(tree), str(FROZEN), *map(str, configs)).splitlines()
    report: dict = {"batches": {name: value for line in lines for name, value in json.loads(line).items()}}
    gato = ("-m", "gato_jax.cli")
    run(tree, out, *gato, "train", str(work / "configs" / f"{TRAINED}.json"), "--out", "run")
    records = [json.loads(line) for line in (out / "run" / "metrics.jsonl").read_text().splitlines()]
    report["training steps"] = {str(r["step"]): {key: r[key] for key in NUMBERS} for r in records if "loss" in r}
    options = ("--unverified", "--with-optimizer", "--format", "safetensors", "--to", "weights")
    run(tree, out, *gato, "export", "run", *options)
    files = sorted((out / "weights").rglob("*.safetensors"))
    report["tensors"] = {f"{path.name}/{name}": value for path in files for name, value in tensors(path).items()}
    run(tree, out, *gato, "export", "run", "--unverified", "--format", "stablehlo", "--to", "program")
    report["stablehlo"] = programs(out / "program")
    return report


def run(tree: pathlib.Path, cwd: pathlib.Path, *arguments: str) -> str:
    """A Python process that imports from `tree` alone; what it prints."""
    path = os.pathsep.join(str(root) for root in (tree / "src", tree) if root.is_dir())
    settings = {"JAX_PLATFORMS": "cpu", "MUJOCO_GL": "disabled", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONSAFEPATH": "1"}
    env = {**os.environ, **settings, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{tree}: {arguments[:3]} ended with code {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout


def tensors(path: pathlib.Path) -> dict[str, str]:
    """Type, shape and digest of each tensor of a safetensors file."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    return {
        name: f"{entry['dtype']} {entry['shape']} {digest(body[slice(*entry['data_offsets'])])}"
        for name, entry in header.items()
        if name != "__metadata__"
    }


def programs(directory: pathlib.Path) -> dict[str, str]:
    """Digest of each function of a StableHLO export."""
    paths = sorted(directory.glob("*.stablehlo"))
    command = [sys.executable, "-c", TEXT_PROBE, *map(str, paths)]
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env).stdout)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def compare(there: dict, here: dict):
    """(item, first difference or "") of everything."""
    frozen = frozen_data()
    for name, batch in there["batches"].items():
        yield f"batches: {name}", frozen.first_difference(name, batch["digests"], here["batches"][name]["digests"])
        yield f"position: {name}", difference(batch["position"], here["batches"][name]["position"])
    for item in ("training steps", "tensors", "stablehlo"):
        if not there[item]:
            raise RuntimeError(f"{item}: expected some to compare, found none")
        yield f"{item} ({len(there[item])})", difference(there[item], here[item])


def difference(there, here, path: str = "") -> str:
    """The first leaf in which two JSON values differ, "" if there is none."""
    if isinstance(there, list) and isinstance(here, list):
        there, here = ({str(place): value for place, value in enumerate(side)} for side in (there, here))
    if not (isinstance(there, dict) and isinstance(here, dict)):
        return "" if there == here else f"{path}: {there!r} there, {here!r} here"
    for key in [*there, *(key for key in here if key not in there)]:
        inner = difference(there.get(key, "absent"), here.get(key, "absent"), f"{path}.{key}" if path else key)
        if inner:
            return inner
    return ""


if __name__ == "__main__":
    main()
