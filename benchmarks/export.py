"""Time, peak memory and size of exports of a preset with random weights, and load time per runtime; JSON lines.

    python -m benchmarks.export gato_79m gato_1b --formats safetensors huggingface --python PYTHON_WITH_TORCH

Memory (Linux) is told as a multiple of the float32 weights: the largest resident set of the exporter until the tensors
are on disk ("stream_peak"), of the whole exporter with its reference ("export_peak"), of the fresh process that checks
("check_peak"), and the largest sum over all processes of an export at any moment, sampled five times a second, where
pages that several of them map are counted once ("peak").
"""

import argparse
import contextlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def make_checkpoint(preset: str, run: Path) -> None:
    """Random weights of a preset as a checkpoint, without moments."""
    import jax

    from data_pipelines.config_json import encode
    from gato_jax.config import load_experiment
    from gato_jax.model.gato import init_parameters
    from gato_jax.training.checkpoints.checkpoint import DIRECTORY, Checkpoints

    experiment = load_experiment(preset)
    parameters = init_parameters(experiment.model, experiment.data.tokens.vocabulary, key=jax.random.key(0))
    checkpoints = Checkpoints(run / DIRECTORY, keep=1)
    state = {"step": jax.numpy.int32(0), "parameters": parameters, "optimizer": {}}
    checkpoints.save(1, state, {"experiment": encode(experiment)})
    checkpoints.close()


def one(run: str, out: str, form: str, dtype: str, python: str | None) -> None:
    """One export, in a process of its own; prints what it found."""
    from gato_jax.export import export as export_module
    from gato_jax.export.common import model_files

    streamed: dict[str, float] = {}
    write = model_files.write_weights

    def measured(*arguments, **options):
        started = time.monotonic()
        write(*arguments, **options)
        streamed["seconds"] = time.monotonic() - started
        streamed["peak"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    model_files.write_weights = measured
    result = export_module.export_weights(run, out, format=form, dtype=dtype, python=python)
    verification = result.verification
    weights = 4 * result.parameters
    print(
        json.dumps(
            {
                "format": form,
                "dtype": dtype,
                "parameters": result.parameters,
                "size": result.size,
                "seconds": result.seconds,
                "stream_seconds": streamed.get("seconds"),
                "stream_peak": streamed.get("peak", 0) / weights,
                "export_peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / weights,
                "check_peak": verification.peak_bytes / weights,
                "load_seconds": verification.load_seconds,
                "differences": dict(verification.differences),
                "versions": dict(verification.versions),
            }
        ),
        flush=True,
    )


def memory_of(root: int) -> int:
    """Bytes that a process and its descendants hold now."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # a process that ended meanwhile
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    total = 0
    for process in parents:
        ancestor = process
        while ancestor != root and ancestor in parents:
            ancestor = parents[ancestor]
        if ancestor == root:
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += 1024 * int(line.split()[1])
    return total


def measure(code: str) -> dict:
    """Runs `one` and adds the largest memory of all of its processes."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(0.2)
    assert process.stdout is not None
    if process.returncode:
        raise SystemExit(process.returncode)
    report = json.loads(process.stdout.read().splitlines()[-1])
    return {**report, "peak": peak / (4 * report["parameters"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--formats", nargs="+", default=["safetensors"])
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--python", help="interpreter with the formats' runtimes; this one when not given")
    parser.add_argument("--work", type=Path, help="directory with room; a temporary one when not given")
    arguments = parser.parse_args()
    for preset in arguments.presets:
        with tempfile.TemporaryDirectory(dir=arguments.work) as work:
            run = Path(work) / "run"
            code = f"import benchmarks.export as b; b.make_checkpoint({preset!r}, b.Path({str(run)!r}))"
            subprocess.run([sys.executable, "-c", code], check=True)
            for form in arguments.formats:
                out = Path(work) / form
                code = (
                    "from benchmarks.export import one; "
                    f"one({str(run)!r}, {str(out)!r}, {form!r}, {arguments.dtype!r}, {arguments.python!r})"
                )
                print(json.dumps(measure(code)), flush=True)
                shutil.rmtree(out)


if __name__ == "__main__":
    main()
