"""What is wrong with a task of texts, or of pictures with texts, that lies in a data directory."""

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.check.declared import AGAIN, count_problems
from data_pipelines.importing.check.report import Limits, TaskReport, in_order
from data_pipelines.importing.check.text_images import picture_sizes
from data_pipelines.importing.common import pictures
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers.images import grid

_SPLIT = "train"
_SHOWN = 3
"""Examples that are named for each kind of problem."""

_TEXTS = {"text": ("text",), "captions": ("captions",), "vqa": ("question", "answer"), "documents": ("texts",)}
"""Kind -> features that hold what is read."""

_PICTURES = {"captions": ("image",), "vqa": ("image",), "documents": ("images", "sizes")}
"""Kind -> features that hold pictures, and their sizes where each has its own."""

Example = Mapping[str, Any]


@dataclasses.dataclass
class _Findings:
    """What a sample shows: problem -> names of the examples that have it; tokens and patches of each example."""

    errors: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    warnings: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    tokens: list[int] = dataclasses.field(default_factory=list)
    patches: list[int] = dataclasses.field(default_factory=list)
    pairs: list[int] = dataclasses.field(default_factory=list)

    def error(self, what: str, name: str) -> None:
        self.errors.setdefault(what, []).append(name)

    def warn(self, what: str, name: str) -> None:
        self.warnings.setdefault(what, []).append(name)


def check_language_task(data: Path, task: RecordedTask, limits: Limits) -> TaskReport:
    """Reads a sample of the training split, decodes its pictures and tokenises its texts.

    Args:
      data: data directory.
      task: of it, whose files are whole.
      limits: what it has to fit.
    """
    from data_pipelines.importing.check import stored_examples  # It loads TensorFlow.

    total, findings, count = task.examples(_SPLIT), _Findings(), 0
    if task.kind not in _TEXTS:
        message = f"spec.json says kind {task.kind!r}, expected control or one of {sorted(_TEXTS)}"
        return TaskReport(task.name, task.kind, 0, total, (Problem(Severity.ERROR, "", message, AGAIN),), "items")
    problems = list(count_problems(data, task, "items"))
    try:
        encode = limits.text_tokenizer().encode
    except (FileNotFoundError, ValueError) as error:
        problems.append(Problem(Severity.ERROR, "", str(error), "--text-model"))
        return TaskReport(task.name, task.kind, 0, total, in_order(problems), "items")
    try:
        for name, size, example in stored_examples.sample(task, _SPLIT, limits.sample):
            count += 1
            if missing := sorted(_needed(task.kind, size) - set(example)):
                raise SourceError(
                    f"features.json has no {missing}, which a task of kind {task.kind!r} needs; found {sorted(example)}"
                )
            texts = list(_texts(task.kind, example, name, findings))
            findings.tokens.append(sum(len(encode(text)) for text in texts))
            _pictures(task, example, size, name, findings)
    except SourceError as error:
        problems.append(Problem(Severity.ERROR, "", str(error), AGAIN))
    problems += [*_named(findings, count), *_lengths(task, findings, limits), *_text_model(limits)]
    return TaskReport(task.name, task.kind, count, total, in_order(problems), "items")


def _needed(kind: str, size: tuple[int, int] | None) -> set[str]:
    """Features that an example must have; `size` is that of all pictures, None where each has its own."""
    own = {"height", "width"} if kind in ("captions", "vqa") and size is None else set()
    return {*_TEXTS[kind], *_PICTURES.get(kind, ()), *own}


def _texts(kind: str, example: Example, name: str, findings: _Findings) -> Iterator[str]:
    """The texts of an example that become tokens; what is empty or unreadable is counted."""
    texts: dict[str, list[str]] = {}
    for key in _TEXTS[kind]:
        texts[key] = []
        for value in np.ravel(example[key]):
            try:
                texts[key].append(value.decode())
            except UnicodeDecodeError:
                findings.error(f"{key!r} is not UTF-8", name)
    if kind == "documents":  # Some of its texts may be empty, beside a picture or between two.
        if not any(text.strip() for text in texts["texts"]):
            findings.warn("a document has no text", name)
    else:
        for key, several in texts.items():
            if not all(text.strip() for text in several):
                findings.warn(f"{key!r} is empty", name)
    if kind == "captions" and not len(np.ravel(example["captions"])):
        findings.error("a picture has no caption", name)
    for key, several in texts.items():
        yield from several[:1] if key == "captions" else several


def _pictures(
    task: RecordedTask, example: Example, size: tuple[int, int] | None, name: str, findings: _Findings
) -> None:
    """Decodes the pictures of an example, and compares their sizes with what is stored beside them."""
    if task.kind == "text":
        return
    if task.kind == "documents":
        files = list(example["images"])
        sizes = [(int(height), int(width)) for height, width in np.reshape(example["sizes"], (-1, 2))]
        if not len(files) == len(sizes) == len(np.ravel(example["texts"])) - 1:
            findings.error(
                f"a document has {len(np.ravel(example['texts']))} texts, {len(files)} pictures and {len(sizes)} "
                "sizes; expected a text more than pictures, and a size of each", name,
            )  # fmt: skip
            return
    else:
        files = [example["image"]]
        sizes = [size if size is not None else (int(example["height"]), int(example["width"]))]
    patches = []
    for file, declared in zip(files, sizes, strict=True):
        try:
            decoded = pictures.decode(file)
        except pictures.PictureError as error:
            findings.error(str(error), name)
            continue
        height, width = decoded.image.height, decoded.image.width
        if (height, width) != declared:
            findings.error(f"a picture has {height}x{width} pixels, its record says {declared[0]}x{declared[1]}", name)
        if not decoded.plain:
            findings.warn("a picture is no upright PNG or JPEG of 8 bits, so training sees other pixels", name)
        rows, columns = grid(height, width)
        patches.append(rows * columns)
    findings.patches += patches
    if task.kind != "documents":
        findings.pairs.append(sum(patches) + findings.tokens[-1] + 1)  # An end closes it.


def _named(findings: _Findings, count: int) -> Iterator[Problem]:
    """Each problem with how many have it, and the first of them."""
    for severity, problems in ((Severity.ERROR, findings.errors), (Severity.WARNING, findings.warnings)):
        for what, names in problems.items():
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            yield Problem(severity, "", f"{len(names):,} of {count:,} items: {what} ({shown})", AGAIN)


def _lengths(task: RecordedTask, findings: _Findings, limits: Limits) -> Iterator[Problem]:
    """Tokens and patches, and what of them does not fit."""
    if findings.tokens:
        yield Problem(Severity.NOTE, "", f"the text of an item takes {_spread(findings.tokens)} tokens")
    if findings.patches:
        least, most = min(findings.patches), max(findings.patches)
        yield from picture_sizes(least, most, limits)
        if task.image_patches is not None and (least < task.image_patches[0] or most > task.image_patches[1]):
            low, high = task.image_patches
            message = f"spec.json says that pictures have {low} to {high} patches, found {least} to {most}"
            yield Problem(Severity.ERROR, "", message, AGAIN)
    if long := [length for length in findings.pairs if length > limits.window_length]:
        yield Problem(
            Severity.WARNING, "",
            f"{len(long):,} of {len(findings.pairs):,} pairs take more than the {limits.window_length} places of a "
            f"window (up to {max(long):,}): their texts are cut, or refused with stream.image_text_pairs = 1",
            f"smaller pictures (--size), or a row group with window_length of at least {max(long)} (--window-length)",
        )  # fmt: skip


def _spread(counts: Sequence[int]) -> str:
    if min(counts) == max(counts):
        return f"{counts[0]:,}"
    return f"{min(counts):,} to {max(counts):,} (median {statistics.median_low(counts):,})"


def _text_model(limits: Limits) -> Iterator[Problem]:
    """Training needs a text model; where nothing names one, the paper's measured the texts."""
    if not limits.names_text_model:
        yield Problem(
            Severity.WARNING, "", "the data directory has no text model, and none is named: lengths are by the paper's",
            f"gato text-model {limits.data}, or set data.tokens.text_model",
        )  # fmt: skip
