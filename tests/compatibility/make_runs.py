"""Makes `runs/`: what the tests of this directory compare with. `python tests/compatibility/make_runs.py [PART ...]`.

What is stored was written by commit 6c3b28a, before the packages were laid out anew. Nobody has to make it again for a
change that only moves or renames code: a difference then is a mistake of that change. Make a part again only where a
format or a result was changed on purpose, and say so in CHANGELOG.md; or where the pins of TensorFlow, SeqIO or
TensorFlow Text change, whose versions a data position holds (`acting`).

The parts: training, acting (training by the command line, evaluation), exports, studies. `exports` needs the runtimes
of the extra `export`, here or in GATO_EXPORT_PYTHON. What a machine leaves of itself (names of hosts, event files of
TensorBoard, locks) is taken out; archives are tar.xz, so that no tool that rewrites or formats code touches what is in
them.
"""

import contextlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
os.environ["MUJOCO_GL"] = "disabled"


def load(name, path):
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


load("compatibility_settings", HERE / "conftest.py")  # Before anything uses JAX.
small = load("small_runs", HERE / "small_runs.py")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import sentencepiece  # noqa: E402

from data_pipelines.config_json import encode  # noqa: E402
from data_pipelines.suites import catalog  # noqa: E402
from gato_jax.config import Positions  # noqa: E402
from gato_jax.evaluation.evaluate import evaluate  # noqa: E402
from gato_jax.evaluation.results import load_result  # noqa: E402
from gato_jax.evaluation.rollouts import load_rollout  # noqa: E402
from gato_jax.export.export import export_weights  # noqa: E402
from gato_jax.model.gato import bind  # noqa: E402
from gato_jax.studies import sweep, table  # noqa: E402
from gato_jax.studies.laws import analysis, proposals  # noqa: E402
from gato_jax.studies.plan import read_plan, write_plan  # noqa: E402
from gato_jax.studies.workers import worker  # noqa: E402
from gato_jax.studies.workers.claims import Claims  # noqa: E402
from gato_jax.training.checkpoints.checkpoint import DIRECTORY, Checkpoints  # noqa: E402
from gato_jax.training.checkpoints.checksums import write_digests  # noqa: E402
from gato_jax.training.step.optimizer import make_optimizer  # noqa: E402
from gato_jax.training.train import train  # noqa: E402
from gato_jax.weights.load import load_weights  # noqa: E402
from gato_jax.weights.source import open_source  # noqa: E402
from gato_jax.weights.tensor_names import parameter_leaves, tensors_of, unflatten  # noqa: E402


def write(name, values):
    """Writes runs/<name>.json."""
    (small.RUNS / f"{name}.json").write_text(json.dumps(values, indent=0, sort_keys=True) + "\n")


def without_machine(directory, work):
    """Removes what names this machine. Orbax writes the absolute path of a checkpoint into it."""
    for path in [*directory.rglob("tensorboard"), *directory.rglob("cache")]:
        shutil.rmtree(path)
    for path in [*directory.rglob("run.lock"), *directory.rglob("*.log")]:
        path.unlink()
    for path in directory.rglob("commit_success.txt"):
        path.write_text(path.read_text().replace(str(work), ""))
    for path in directory.rglob("digests.json"):
        path.unlink()
        write_digests(path.parent)


def without_paths(directory, *paths):
    """Puts words of the same length in place of paths: compiled functions name the source files that made them."""
    for file in directory.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for path in paths:
                content = content.replace(
                    str(path).encode(), b"/elsewhere"[: len(str(path))].ljust(len(str(path)), b"_")
                )
            file.write_bytes(content)


def make_training(work):
    training = {"rounding": small.rounding(), "runs": {}}
    for positions in Positions:
        experiment, name = small.synthetic_experiment(positions), positions.value
        whole, died = work / f"{name}-whole", work / name
        train(experiment, whole, open_stream=small.SyntheticStream)
        with contextlib.suppress(ConnectionError):
            train(
                experiment,
                died,
                open_stream=lambda e, host, hosts: small.SyntheticStream(e, host, hosts, ends=small.DIED),
            )
        weights, initial = load_weights(died), small.initial_parameters(experiment)
        assert weights.step == small.SAVED
        training["runs"][name] = {
            "experiment": encode(experiment),
            "initial": small.digests(initial),
            "initial_samples": small.samples(initial),
            "records": small.records(whole),
            "parameters": small.digests(weights.parameters),
            "optimizer": small.optimizer_digests(died),
        }
        without_machine(died, work)
        small.pack(died, name)
    write("training", training)


def make_data(out):
    """Recordings with made-up values of the three tasks, a text model of 64 pieces, scores."""
    recordings = load("recordings", HERE.parent / "data_pipelines" / "recordings.py")
    for task in sorted(small.acting_experiment().data.mixture.task_names):
        environment = catalog.make(task)
        spec = environment.spec
        environment.close()
        recordings.write(out, spec, [recordings.episode(spec, 12) for _ in range(4)])
    things = [f"go to the {c} {o}" for c in ("red", "green", "blue", "grey") for o in ("ball", "box", "key", "door")]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(things * 20),
        model_writer=model,
        vocab_size=64,
        hard_vocab_limit=False,
        model_type="bpe",
        normalization_rule_name="identity",
        minloglevel=2,
    )
    (out / "tokenizer.model").write_bytes(model.getvalue())
    scores = {"expert": 10.0, "random": 0.5, "expert_returns": [9.0, 11.0], "random_returns": [0.0, 1.0]}
    tasks = small.acting_experiment().data.mixture.task_names
    (out / "scores.json").write_text(json.dumps(dict.fromkeys(sorted(tasks), scores)))


def make_acting(work):
    """A run that `gato train` was killed in; an evaluation of the same weights, of which one task is done."""
    make_data(work / "data")
    experiment = small.acting_experiment()
    (work / "experiment.json").write_text(experiment.to_json())
    command = [sys.executable, "-m", "gato_jax.cli", "train", "experiment.json", "--out"]
    subprocess.run([*command, "whole"], cwd=work, check=True)
    shutil.copytree(work / "whole", work / "run")
    # As if it had been killed behind its first checkpoint: later records are there, the last checkpoint is not.
    shutil.rmtree(work / "run" / DIRECTORY / "4")
    (work / "run" / "summary.json").unlink()
    without_machine(work / "run", work)
    os.chdir(work)
    # Weights and data are named as the test names them: beside the working directory.
    evaluate(Path("run"), out=Path("evaluation"))
    result = load_result(Path("evaluation/evaluation.json")).to_dict()
    acted = {}
    for path in sorted(Path("evaluation/rollouts").glob("*.npz")):
        rollout, settings = load_rollout(path)
        acted[path.stem] = {
            "returns": list(rollout.returns),
            "lengths": list(rollout.lengths),
            "first_actions": [np.asarray(actions[:8]).tolist() for actions in rollout.actions],
            "settings": settings,
        }
    write(
        "acting",
        {"records": small.records(work / "whole"), "tasks": result["tasks"], "rollouts": acted},
    )
    for path in list(Path("evaluation/rollouts").glob("*.npz")):
        if path.stem != "metaworld.drawer_close":
            path.unlink()
    Path("evaluation/evaluation.json").unlink()
    shutil.rmtree(work / "whole")
    small.pack(work, "acting")


def make_exports(work):
    """A run with weights of few bits, which compress, and an export of it in every format."""
    experiment = small.acting_experiment()

    def leaf(number, name, shape):
        random = np.random.default_rng([5, number])
        return jax.device_put(
            (float(name.endswith("scale")) + random.integers(-24, 25, shape.shape) / 64).astype(shape.dtype)
        )

    shapes = parameter_leaves(experiment.model, experiment.data.tokens.vocabulary)
    parameters = unflatten({name: leaf(i, name, shapes[name]) for i, name in enumerate(sorted(shapes))})
    moments = jax.eval_shape(make_optimizer(experiment.optimizer).init, parameters)
    optimizer = jax.tree.map(lambda one: jax.device_put(np.ones(one.shape, one.dtype)), moments)
    tasks = experiment.data.mixture.task_names
    checkpoints = Checkpoints(work / "run" / DIRECTORY, keep=1)
    meta = {
        "experiment": encode(experiment),
        "position": {"step": 2, "weights": dict(experiment.data.mixture.weights)},
        "totals": {"task_rows": [10] * len(tasks)},
        "seconds": 1.0,
        "loss": 2.5,
        "mesh": {"data": 1, "fsdp": 1, "tensor": 1},
    }
    checkpoints.save(2, {"step": jnp.int32(2), "parameters": parameters, "optimizer": optimizer}, meta)
    checkpoints.close()
    without_machine(work / "run", work)
    small.unpack("acting", work / "acting")
    shutil.move(work / "acting" / "data", work / "data")
    shutil.rmtree(work / "acting")
    os.chdir(work)
    for form in ("safetensors", "huggingface", "stablehlo", "savedmodel", "onnx"):
        export_weights("run", Path("exports") / form, format=form, with_optimizer=form == "safetensors")
    vocabulary = experiment.data.tokens.vocabulary
    weights = load_weights("run")
    fields = small.fields(vocabulary.size)
    model = bind(experiment.model, vocabulary, weights.parameters)
    logits = np.asarray(model(fields))[..., : vocabulary.size]
    source = open_source("run")
    write(
        "exports",
        {
            "logits": small.shown(logits),
            "tensors": {t.name: small.digest(source.read(t.name)) for t in tensors_of(experiment.model, vocabulary)},
            "files": {path.name: sorted(small.files(path)) for path in sorted(Path("exports").iterdir())},
        },
    )
    shutil.rmtree(work / "data")
    without_paths(work / "exports", HERE.parents[1], work, sys.prefix)
    small.pack(work, "exports")


def make_studies(work):
    """A finished sweep and its fit; and one with a run done, one failed, one half done, one not begun."""
    whole = work / "finished"
    write_plan(small.study(design=8, held_out=2, references=True), whole)
    worker.work(whole, open_stream=small.SyntheticStream)
    fitted = analysis.fit(whole, samples=4)
    proposal = proposals.propose(whole, fitted, target="mean")
    csv = table.write_csv(whole).read_text()
    for name in ("fit.json", "sweep.csv", "claims"):
        path = whole / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in whole.glob("proposal-*"):
        path.unlink()
    half = work / "half"
    runs = write_plan(small.study(design=4), half)
    undisturbed = work / "undisturbed"
    write_plan(small.study(design=4), undisturbed)
    worker.work(undisturbed, open_stream=small.SyntheticStream)
    shutil.copytree(undisturbed / "runs" / runs[0].name, half / "runs" / runs[0].name, dirs_exist_ok=True)
    (half / "runs" / runs[1].name / "failed.json").write_text(
        json.dumps({"run": runs[1].name, "reason": "OSError: the disk was full"})
    )
    died = half / "runs" / runs[2].name / "train"
    with contextlib.suppress(ConnectionError):
        train(
            small.study(design=4).experiment(runs[2]),
            died,
            open_stream=lambda e, host, hosts: small.SyntheticStream(e, host, hosts, ends=3),
        )
    claims = Claims(half / "claims")
    for run in runs[:3]:
        claims.take(run.name, lost=lambda: None).release()
    (half / "claims" / f"{runs[2].name}.1.released").unlink()
    for path in half.glob("claims/*.1"):
        path.write_text(json.dumps({"machine": "elsewhere", "pid": 1, "started": "1", "time": 0.0}))
    write(
        "studies",
        {
            "fit": fitted,
            "proposal": {key: proposal[key] for key in ("shares", "gains")},
            "csv": csv,
            "finished": [run.name for run in read_plan(whole)],
            "half": [run.name for run in runs],
            "losses": {run["name"]: run["losses"] for run in sweep.results(undisturbed)},
            "rows": {run["name"]: run["rows"] for run in sweep.results(undisturbed)},
        },
    )
    shutil.rmtree(undisturbed)
    without_machine(work, work)
    small.pack(work, "studies")


PARTS = {"training": make_training, "acting": make_acting, "exports": make_exports, "studies": make_studies}


def main():
    """Makes the parts that are named, or all."""
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as work:
            PARTS[part](Path(work))
            os.chdir(HERE)


if __name__ == "__main__":
    main()
