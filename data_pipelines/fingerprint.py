"""What a stream depends on besides the step: settings, files, versions."""

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from data_pipelines.config import DataConfig
from data_pipelines.config_json import encode, with_new_names, with_old_names
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.tokenizers.text import resolve_text_model

PIPELINE_VERSION = 4
"""Raised whenever a change of code changes the batches that a seed gives."""


def describe(
    config: DataConfig, recorded: Mapping[str, RecordedTask], split: str, raw_frames: Sequence[str] = ()
) -> dict[str, Any]:
    """JSON-able description: two streams with equal ones give equal batches.

    Args:
      config: the data configuration.
      recorded: what the data directory contains, by task.
      split: split of every task.
      raw_frames: tasks whose frames a cache holds raw, which changes how many are shuffled at a time.

    Settings have their old names here, so that a stream has the fingerprint that it always had.
    """
    settings = encode(config, sort_keys=True)
    texts = any(needs_text(config, task) for task in recorded.values())
    del settings["directory"], settings["cache"]  # They may move, and cached tokens are the same tokens.
    del settings["mixture"]["named"], settings["mixture"]["renormalise"]  # Weights say what they led to.
    return {
        "pipeline": PIPELINE_VERSION,
        "versions": {name: importlib.metadata.version(name) for name in ("tensorflow", "seqio", "tensorflow-text")},
        "split": split,
        "settings": with_old_names(DataConfig, settings),
        "text_model": text_model(config) if texts else "none",
        "files": {name: describe_files(task, split) for name, task in sorted(recorded.items())},
        **({"raw_frames": list(raw_frames)} if raw_frames else {}),
    }


def with_names_of_today(position: Mapping[str, Any]) -> dict[str, Any]:
    """A data position whose fingerprint names the settings as people do."""
    parts = position.get("fingerprint")
    if not isinstance(parts, Mapping) or "settings" not in parts:
        return dict(position)
    return {**position, "fingerprint": {**parts, "settings": with_new_names(DataConfig, parts["settings"])}}


def needs_text(config: DataConfig, task: RecordedTask) -> bool:
    """Whether a task has text to tokenise."""
    return task.spec is None or TimestepLayout.build(task.spec, config.tokens).has_text


def text_model(config: DataConfig) -> str:
    """Digest of the text model's file, whatever its name is."""
    return hashlib.sha256(resolve_text_model(config.tokens.text_model, config.directory).read_bytes()).hexdigest()[:16]


def describe_files(task: RecordedTask, split: str) -> dict[str, Any]:
    """What identifies the files of one task: their names, sizes and contents, and its spec."""
    shards = task.shards.get(split, ())
    names = [f"{shard.path.parent.name}/{shard.path.name} {shard.size}" for shard in shards]
    return {
        "files": len(shards),
        "bytes": sum(shard.size for shard in shards),
        "examples": task.examples(split),
        "names_and_sizes": hashlib.sha256("\n".join(names).encode()).hexdigest()[:16],
        "contents": hashlib.sha256("\n".join(shard.framing.contents for shard in shards).encode()).hexdigest()[:16],
        "spec": hashlib.sha256(task.spec.to_json().encode()).hexdigest()[:16] if task.spec else task.kind,
    }
