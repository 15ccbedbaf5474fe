"""What is wrong with a source of texts or pictures before its import. No TensorFlow, but for TFDS directories."""

import collections
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data_pipelines.importing.check.report import Limits, TaskReport, in_order
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.formats import find_format
from data_pipelines.importing.common.shuffling import share
from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.importing.vision_language import FORMATS, PictureConfig, Reader, SourceOptions
from data_pipelines.importing.vision_language.examples import Prepared, patch_range, prepare
from data_pipelines.importing.vision_language.items import Item
from data_pipelines.tokenizers.text import PAPER_TEXT_MODEL

_BLOCKS = 4
_BATCH = 64
"""Items held at a time: they may hold their pictures."""


def check_source(
    path: Path,
    format: str,
    options: SourceOptions,
    pictures: PictureConfig,
    limits: Limits,
    *,
    validation: float,
    threads: int,
) -> TaskReport:
    """What is wrong with a source that is to be imported as texts, captions, questions or documents."""
    kind, total = "unknown", 0
    prepared: list[Prepared] = []
    try:
        reader = find_format(format, FORMATS).open(path, options)
        kind, total = reader.kind, len(reader)
        with ThreadPoolExecutor(threads) as pool:
            sample = _sample(reader, limits.sample)
            while batch := list(itertools.islice(sample, _BATCH)):
                ready = pool.map(lambda item: prepare(item, pictures, options.part_characters), batch)
                prepared += [_without_content(one) for one in ready]
    except SourceError as error:
        problem = Problem(Severity.ERROR, "", str(error))
        return TaskReport(str(path), kind, len(prepared), total, (problem,), "items")
    problems = list(_left_out(prepared))
    if (bounds := patch_range(prepared)) is not None:
        problems += picture_sizes(*bounds, limits)
    if validation and len(prepared) == total:
        problems += _splits(prepared, validation)
    problems += _text_model(limits)
    return TaskReport(str(path), kind, len(prepared), total, in_order(problems), "items")


def _sample(reader: Reader, count: int) -> Iterator[Item]:
    """The first items, or blocks spread over a source that has more."""
    total = len(reader)
    if total <= count:
        yield from itertools.islice(reader.items(0), count)
        return
    ends = [count * (block + 1) // _BLOCKS for block in range(_BLOCKS)]
    for block, (begin, end) in enumerate(itertools.pairwise([0, *ends])):
        yield from itertools.islice(reader.items(total * block // _BLOCKS), end - begin)


def _without_content(one: Prepared) -> Prepared:
    """What is counted; a sample's pictures need not be held together."""
    return Prepared(one.id, ({},) * len(one.examples), one.patches, one.skipped, one.dropped)


def _left_out(prepared: list[Prepared]) -> Iterator[Problem]:
    skipped = collections.Counter(one.skipped for one in prepared if one.skipped)
    dropped = collections.Counter(reason for one in prepared if not one.skipped for reason in one.dropped)
    if not prepared or sum(skipped.values()) == len(prepared):
        counts = ", ".join(f"{reason} ({count})" for reason, count in skipped.most_common()) or "there are none"
        yield Problem(Severity.ERROR, "", f"none of the {len(prepared)} items that were read can be used: {counts}")
        return
    for reason, count in skipped.most_common():
        yield Problem(Severity.WARNING, "", f"{count:,} of {len(prepared):,} items are left out: {reason}")
    for reason, count in dropped.most_common():
        yield Problem(Severity.WARNING, "", f"{count:,} pictures are left out of their documents: {reason}")


def picture_sizes(least: int, most: int, limits: Limits) -> Iterator[Problem]:
    """How many patches a picture has, and what does not fit.

    Args:
      least, most: patches of the smallest and of the largest picture.
      limits: what they have to fit.
    """
    patches = f"{least}" if least == most else f"{least} to {most}"
    yield Problem(Severity.NOTE, "", f"a picture becomes {patches} patches")
    table = limits.tokens.max_observation_tokens
    if most > table:
        yield Problem(
            Severity.ERROR, "", f"a picture has {most} patches, the table of positions {table} places",
            f"--max-patches {table}, or pictures of another --size or --fit",
        )  # fmt: skip
    if most + 1 > limits.window_length:
        yield Problem(
            Severity.ERROR, "", f"a picture has {most} patches, and no text fits a window of {limits.window_length}",
            f"--max-patches {limits.window_length - 1}, another --size, or a row group with window_length of at "
            f"least {most + 1} (--window-length)",
        )  # fmt: skip


def _splits(prepared: list[Prepared], validation: float) -> Iterator[Problem]:
    usable = [one for one in prepared if one.examples]
    held_out = sum(share(one.id) < validation for one in usable)
    if usable and held_out in (0, len(usable)):
        which = "nothing is held out" if not held_out else "nothing is left to train on"
        yield Problem(
            Severity.WARNING, "", f"{which}: {held_out} of {len(usable)} items, by their ids", "another --validation"
        )


def _text_model(limits: Limits) -> Iterator[Problem]:
    try:
        model = limits.text_tokenizer()
    except FileNotFoundError as error:
        yield Problem(Severity.ERROR, "", str(error), "--text-model")
        return
    if not limits.tokens.text_model and limits.data is None:
        yield Problem(
            Severity.NOTE, "", f"training needs a text model, and so far none is named; {PAPER_TEXT_MODEL} has "
            f"{model.size:,} pieces",
            "set data.tokens.text_model to it, or train one on the imported data with gato text-model DATA",
        )  # fmt: skip
