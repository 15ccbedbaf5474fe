"""`gato export`: weights out of a checkpoint, in one of several formats, checked before it is called done.

Tensors stream one by one from the checkpoint to disk, so memory holds one of them. The directory appears whole or not
at all: it is written under another name beside its place, which an interrupt leaves there for the next call to go on
from, and a failed check removes.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import rich.table

from data_pipelines import atomic_files
from gato_jax.config.encoding import encode
from gato_jax.export import bundle, card
from gato_jax.export.episodes import recorded_specs
from gato_jax.export.reference import task_file, write_reference
from gato_jax.export.verification import Format, Verification, find_runtime, verify
from gato_jax.export.writing import Entry, write_tensors
from gato_jax.training.checkpoints.checkpoint import versions
from gato_jax.weights.source import FORMAT, OPTIMIZER, STEM, Source, open_source
from gato_jax.weights.tensor_names import ProcessKilled, tensors_of
from gato_jax.weights.weights import EXPORT_CONFIG, TOKENIZER

DTYPES = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
SHARD_SIZE = 5_000_000_000
LOCK, JOB = "lock", "job.json"


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
      out: the directory.
      format, dtype: of its weights.
      parameters: number of weights, without padding rows.
      size: bytes of the directory.
      step: training step of the weights.
      optimizer: whether the optimizer's state is there too.
      seconds: wall time, the check included.
      verification: what a fresh process found; None where `unverified` was asked for.
    """

    out: Path
    format: str
    dtype: str
    parameters: int
    size: int
    step: int
    optimizer: bool
    seconds: float
    verification: Verification | None

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "out": str(self.out)}

    def table(self) -> rich.table.Table:
        table = rich.table.Table.grid(padding=(0, 2))
        table.add_row("export", f"{self.out} ({self.format}, {self.dtype})")
        table.add_row("parameters", f"{self.parameters:,} (step {self.step})")
        table.add_row("size", f"{self.size / 1e6:.1f} MB in {self.seconds:.1f} s")
        lines = ["NOT VERIFIED, as asked for"] if self.verification is None else self.verification.lines()
        for line in lines:
            table.add_row("check", line)
        return table


def export(
    run: Path | str,
    out: Path | str,
    *,
    format: Format | str = Format.SAFETENSORS,
    dtype: str = "float32",
    shard_size: int = SHARD_SIZE,
    with_optimizer: bool = False,
    python: str | None = None,
    unverified: bool = False,
) -> ExportResult:
    """Exports a run's (or checkpoint's, or another export's) weights to a new directory.

    Args:
      run: run directory, one checkpoint in it, or an export.
      out: directory that appears whole or not at all.
      format: what to write.
      dtype: "float32", or "bfloat16" (rounded to nearest).
      shard_size: bytes of a file of tensors, above which they are split and an index is written.
      with_optimizer: write the optimizer's state too, so that an import continues training exactly.
      python: interpreter with the format's runtime for the check; this one, or $GATO_EXPORT_PYTHON, when None.
      unverified: skip the check. The model card says so.

    Raises:
      FileExistsError: `out` is there and not empty.
      FileNotFoundError, CheckpointError: the weights cannot be loaded.
      RuntimeMissing: the check cannot run.
      ExportError: the artefact differs from the checkpoint; nothing is left behind.
      ProcessKilled: a process of the export was killed; the same call goes on.
    """
    started = time.monotonic()
    form, out = Format(format), Path(out)
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {sorted(DTYPES)}, found {dtype!r}")
    if dtype != "float32" and form in (Format.SAVEDMODEL, Format.ONNX):
        raise ValueError(f"dtype: a {form.value} export is float32, found {dtype!r}")
    if shard_size < 1:
        raise ValueError(f"shard_size must be positive, found {shard_size}")
    if with_optimizer and form not in (Format.SAFETENSORS, Format.HUGGINGFACE):
        raise ValueError(f"with_optimizer: training continues from safetensors or huggingface, found {form.value}")
    # ONNX is made by the runtime that checks it.
    converter = find_runtime(form, python) if form is Format.ONNX or not unverified else None
    interpreter = None if unverified else converter
    source = open_source(run)
    if with_optimizer and not source.optimizer:
        raise ValueError(f"with_optimizer: {source.path} holds no optimizer state")
    job = {
        "layout": 2,  # of a partial directory
        "source": str(source.path.resolve()),
        "digest": hashlib.sha256(json.dumps(dict(source.meta), sort_keys=True).encode()).hexdigest(),
        "format": form.value,
        "dtype": dtype,
        "shard_size": shard_size,
        "with_optimizer": with_optimizer,
    }
    with _partial_directory(out, job) as work:
        if form not in (Format.SAVEDMODEL, Format.ONNX):
            _write_weights(source, work, dtype=dtype, shard_size=shard_size, with_optimizer=with_optimizer)
        atomic_files.write_json(work / EXPORT_CONFIG, config(source, form, dtype))
        if source.text_model:
            shutil.copyfile(source.text_model, work / TOKENIZER)
        _write_format(source, work, form, dtype, converter)
        if form is Format.HUGGINGFACE:
            text = dataclasses.replace(_empty(source), text_model=source.text_model)
            data = source.experiment.data
            specs = recorded_specs(Path(data.directory), sorted(data.mixture.task_names))
            atomic_files.write_json(work / "tasks.json", task_file(text, specs))
        found = None
        if interpreter is not None:
            with tempfile.TemporaryDirectory(prefix="gato-reference-") as scratch:
                # Nobody holds the weights behind this line: the fresh process needs the room.
                reference = write_reference(source.weights(DTYPES[dtype]), Path(scratch))
                _say(f"checking with {interpreter}: {reference.logits:,} logits, {reference.actions:,} greedy tokens")
                found = verify(work, form, reference, interpreter=interpreter)
        command = _command(run, out, form, dtype, shard_size, with_optimizer, unverified)
        atomic_files.write_text(work / "README.md", card.model_card(source, form, dtype, found, command=command))
        size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file() and path.name not in (LOCK, JOB))
    vocabulary = source.experiment.data.tokens.vocabulary
    return ExportResult(
        out=out,
        format=form.value,
        dtype=dtype,
        parameters=sum(tensor.size for tensor in tensors_of(source.experiment.model, vocabulary)),
        size=size,
        step=int(source.meta["step"]),
        optimizer=with_optimizer,
        seconds=time.monotonic() - started,
        verification=found,
    )


def config(source: Source, form: Format, dtype: str) -> dict[str, Any]:
    """config.json: the shape for other runtimes, and under "gato" all that a way back needs."""
    model, vocabulary = source.experiment.model, source.experiment.data.tokens.vocabulary
    shape = {
        "model_type": "gato",
        "architectures": ["GatoModel"],
        "dtype": dtype,
        **{name: getattr(model, name) for name in ("width", "layers", "heads", "head_size", "gate_width")},
        "norm": model.norm.value,
        "positions": model.positions.value,
        "max_positions": model.max_length,
        **{name: getattr(model, name) for name in ("local_positions", "patch_channels", "patch_groups")},
        "vocabulary": vocabulary.size,
    }
    if form is Format.HUGGINGFACE:
        shape["auto_map"] = {
            "AutoConfig": "configuration_gato.GatoConfig",
            "AutoModel": "modeling_gato.GatoModel",
        }
    training = {
        name: source.meta[name] for name in ("position", "totals", "seconds", "loss", "mesh") if name in source.meta
    }
    shape["gato"] = {
        "format": FORMAT,
        "experiment": encode(source.experiment),
        "step": int(source.meta["step"]),
        "training": training,
        "versions": versions(),
    }
    return shape


def _write_weights(source: Source, work: Path, *, dtype: str, shard_size: int, with_optimizer: bool) -> None:
    tensors = tensors_of(source.experiment.model, source.experiment.data.tokens.vocabulary)
    entries = [Entry(tensor.name, tensor.shape, DTYPES[dtype]) for tensor in tensors]
    moments = [Entry(name, tuple(leaf.shape), np.dtype(leaf.dtype)) for name, leaf in source.optimizer.items()]
    total = sum(entry.size for entry in (*entries, *(moments if with_optimizer else ())))
    meter = _Meter(total)
    # transformers asks for this word.
    metadata = {"format": "pt"}
    write_tensors(work, STEM, entries, source.read, limit=shard_size, metadata=metadata, progress=meter)
    if with_optimizer:
        read = source.read_optimizer
        write_tensors(work, OPTIMIZER, moments, read, limit=shard_size, metadata=metadata, progress=meter)


def _write_format(source: Source, work: Path, form: Format, dtype: str, converter: str | None) -> None:
    if form is Format.SAFETENSORS:
        shutil.copyfile(bundle.HERE / "numpy_gato.py", work / "numpy_gato.py")
    elif form is Format.HUGGINGFACE:
        bundle.write_model(work)
    elif form is Format.STABLEHLO:
        from gato_jax.export.formats import stablehlo

        stablehlo.write(source.experiment, work, dtype=dtype)
    else:

        def model(directory: Path, of: Format) -> None:
            _write_weights(source, directory, dtype=dtype, shard_size=SHARD_SIZE, with_optimizer=False)
            atomic_files.write_json(directory / EXPORT_CONFIG, config(source, of, dtype))

        if form is Format.SAVEDMODEL:
            from gato_jax.export.formats import savedmodel

            savedmodel.write(lambda directory: model(directory, Format.SAFETENSORS), work)
        else:
            from gato_jax.export.formats import onnx

            def with_code(directory: Path) -> None:
                model(directory, Format.HUGGINGFACE)
                bundle.write_model(directory)

            assert converter is not None
            onnx.write(with_code, work, interpreter=converter)


def _empty(source: Source) -> Any:
    from gato_jax.weights.weights import Weights

    return Weights(source.experiment, {}, int(source.meta["step"]))


@contextlib.contextmanager
def _partial_directory(out: Path, job: dict[str, Any]) -> Iterator[Path]:
    """The directory that becomes `out`. An interrupt leaves it for the same job to go on from, an error removes it."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists and is not empty; choose another directory or remove it first")
    work = out.parent / f".{out.name}.partial"
    work.mkdir(parents=True, exist_ok=True)
    with (work / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileExistsError(f"{work}: another export is writing there") from error
        if not (work / LOCK).exists():
            raise FileExistsError(f"{out}: another export has just written it")
        # Only now is nobody else's work in danger.
        if (work / JOB).is_file() and json.loads((work / JOB).read_text()) == job:
            _say(f"going on from {work}")
        else:
            _empty_directory(work)
            atomic_files.write_json(work / JOB, job)
        try:
            yield work
            for name in (LOCK, JOB):
                (work / name).unlink()
            os.replace(work, out)
        except ProcessKilled:
            raise
        except Exception:
            shutil.rmtree(work, ignore_errors=True)
            raise


def _empty_directory(work: Path) -> None:
    """Removes all but the lock."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


class _Meter:
    """Bytes written, as a line on stderr every two seconds."""

    def __init__(self, total: int):
        self._total, self._done, self._started = total, 0, time.monotonic()
        self._shown = self._started

    def __call__(self, size: int) -> None:
        self._done += size
        now = time.monotonic()
        if now - self._shown < 2 and self._done < self._total:
            return
        self._shown = now
        rate = self._done / max(now - self._started, 1e-9)
        left = (self._total - self._done) / max(rate, 1)
        _say(
            f"{self._done / 1e9:.2f} of {self._total / 1e9:.2f} GB, {rate / 1e6:.0f} MB/s, "
            f"eta {int(left) // 60}:{int(left) % 60:02d}"
        )


def _say(text: str) -> None:
    print(f"export: {text}", file=sys.stderr, flush=True)


def _command(
    run: Path | str, out: Path, form: Format, dtype: str, shard_size: int, with_optimizer: bool, unverified: bool
) -> str:
    """The command that made an export; paths without what only this machine knows."""
    words = ["gato", "export", Path(run).name, "--to", out.name, "--format", form.value, "--dtype", dtype]
    words += ["--shard-size", str(shard_size)] if shard_size != SHARD_SIZE else []
    words += ["--with-optimizer"] if with_optimizer else []
    words += ["--unverified"] if unverified else []
    return shlex.join(words)
