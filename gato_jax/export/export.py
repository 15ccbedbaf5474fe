"""`gato export`: weights out of a checkpoint, in one of several formats, checked before it is called done.

Tensors stream one by one from the checkpoint to disk, so memory holds one of them. The directory appears whole or not
at all: it is written under another name beside its place, which an interrupt leaves there for the next call to go on
from, and a failed check removes.
"""

import dataclasses
import shlex
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import rich.table

from data_pipelines import atomic_files
from data_pipelines.read_json import DamagedFile, read_json
from gato_jax.export import card
from gato_jax.export.common import bundle, model_files
from gato_jax.export.common.export_format import DTYPES, ExportFormat, Order
from gato_jax.export.common.model_files import CARD, SHARD_SIZE, say
from gato_jax.export.common.partial_directory import OURS, check_target, digest_of_job, partial_directory, remove_ours
from gato_jax.export.demonstrations import write_demonstrations
from gato_jax.export.formats.registry import FORMATS
from gato_jax.export.reference import write_reference
from gato_jax.export.verification import Verification, find_runtime, verify
from gato_jax.interrupts import interruptible
from gato_jax.weights import digests
from gato_jax.weights.source import Source, open_source
from gato_jax.weights.tensor_names import tensors_of
from gato_jax.weights.weights import TOKENIZER


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
      before: an earlier call of the same job had written all of it, and checked it then.
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
    before: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "out": str(self.out)}

    def table(self) -> rich.table.Table:
        table = rich.table.Table.grid(padding=(0, 2))
        table.add_row("export", f"{self.out} ({self.format}, {self.dtype})")
        table.add_row("parameters", f"{self.parameters:,} (step {self.step})")
        table.add_row("size", f"{self.size / 1e6:.1f} MB in {self.seconds:.1f} s")
        lines = ["NOT VERIFIED, as asked for"] if self.verification is None else self.verification.lines()
        if self.before:
            lines = ["nothing was left to do: the same export is there, as an earlier call wrote it"]
        for line in lines:
            table.add_row("check", line)
        return table


@interruptible()
def export_weights(
    run: Path | str,
    out: Path | str,
    *,
    format: str = "safetensors",
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
      format: what to write, a name in `formats.registry`.
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

    Examples:
      The check, which a fresh process does, takes some seconds and is left out here.

      >>> import gato_jax
      >>> gato_jax.export_weights("run", "exported", unverified=True).format
      'safetensors'
    """
    started, out = time.monotonic(), Path(out)
    check_target(out, "the export")
    form = _format_that_can(format, dtype=dtype, shard_size=shard_size, with_optimizer=with_optimizer)
    converter = None if unverified and not form.made_by_runtime else find_runtime(form, python)
    source = open_source(run)
    if with_optimizer and not source.optimizer:
        raise ValueError(f"with_optimizer: {source.path} holds no optimizer state")
    options = {"format": format, "dtype": dtype, "shard_size": shard_size, "with_optimizer": with_optimizer}
    job = _job(source, {**options, "unverified": unverified})
    verification, before = None, _is_done(out, job)
    if before:
        remove_ours(out)
    else:
        with partial_directory(out, job, say=say) as work, interruptible():
            order = Order(source, work, dtype, converter)
            _write(order, form, shard_size=shard_size, with_optimizer=with_optimizer, job=job)
            verification = None if unverified or converter is None else _check(source, work, form, dtype, converter)
            command = _command(run, out, options, unverified)
            atomic_files.write_text(work / CARD, card.model_card(source, form, dtype, verification, command=command))
    vocabulary = source.experiment.data.tokens.vocabulary
    return ExportResult(
        out=out,
        format=format,
        dtype=dtype,
        parameters=sum(tensor.size for tensor in tensors_of(source.experiment.model, vocabulary)),
        size=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
        step=int(source.meta["step"]),
        optimizer=with_optimizer,
        seconds=time.monotonic() - started,
        verification=verification,
        before=before,
    )


def _write(order: Order, form: ExportFormat, *, shard_size: int, with_optimizer: bool, job: dict[str, Any]) -> None:
    """All files but the model card."""
    source, work, dtype = order.source, order.directory, order.dtype
    if form.has_tensors:
        model_files.write_weights(source, work, dtype=dtype, shard_size=shard_size, with_optimizer=with_optimizer)
    model_files.write_config(source, work, dtype=dtype, more=form.config)
    if source.text_model:
        shutil.copyfile(source.text_model, work / TOKENIZER)
    shutil.copyfile(bundle.CHECK, work / bundle.CHECK.name)
    form.write(order)
    write_demonstrations(source, work)
    model_files.write_file_digests(source, work, without=OURS, job=digest_of_job(job))


def _is_done(out: Path, job: dict[str, Any]) -> bool:
    """Whether an earlier call, perhaps one that was killed just behind its last line, has written this very export."""
    try:
        return read_json(out / digests.FILE, "the digests of an export").get("job") == digest_of_job(job)
    except (OSError, DamagedFile):
        return False


def _format_that_can(name: str, *, dtype: str, shard_size: int, with_optimizer: bool) -> ExportFormat:
    """The format of that name. Raises `ValueError` where there is none, or it cannot hold what is asked for."""
    if name not in FORMATS:
        raise ValueError(f"format: expected one of {list(FORMATS)}, found {name!r}")
    form = FORMATS[name]
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {sorted(DTYPES)}, found {dtype!r}")
    if dtype not in form.dtypes:
        raise ValueError(f"dtype: a {name} export is {' or '.join(form.dtypes)}, found {dtype!r}")
    if shard_size < 1:
        raise ValueError(f"shard_size must be positive, found {shard_size}")
    if with_optimizer and not form.with_optimizer:
        those = " or ".join(other.name for other in FORMATS.values() if other.with_optimizer)
        raise ValueError(f"with_optimizer: training continues from {those}, found {name}")
    return form


def _check(source: Source, work: Path, form: ExportFormat, dtype: str, interpreter: str) -> Verification:
    with tempfile.TemporaryDirectory(prefix="gato-reference-") as scratch:
        # Nobody holds the weights behind this line: the fresh process needs the room.
        reference = write_reference(source.weights(jnp.dtype(dtype)), Path(scratch))
        say(f"checking with {interpreter}: {reference.logits:,} logits, {reference.actions:,} greedy tokens")
        return verify(work, form, reference, interpreter=interpreter)


def _job(source: Source, options: dict[str, Any]) -> dict[str, Any]:
    """What a partial directory is of; only the same job goes on from it."""
    return {
        "source": str(source.path.resolve()),
        "of": source.identity(),
        **options,
    }


def _command(run: Path | str, out: Path, options: dict[str, Any], unverified: bool) -> str:
    """The command that made an export; paths without what only this machine knows."""
    words = ["gato", "export", Path(run).name, "--to", out.name]
    words += ["--format", options["format"], "--dtype", options["dtype"]]
    words += ["--shard-size", str(options["shard_size"])] if options["shard_size"] != SHARD_SIZE else []
    words += ["--with-optimizer"] if options["with_optimizer"] else []
    words += ["--unverified"] if unverified else []
    return shlex.join(words)
