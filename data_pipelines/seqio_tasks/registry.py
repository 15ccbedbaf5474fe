"""Kinds of recorded tasks: what each needs of its row group, and the SeqIO task that it becomes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from data_pipelines.seqio_tasks.base import Needs, SeededTask
from data_pipelines.seqio_tasks.control import control_needs, control_task
from data_pipelines.seqio_tasks.documents import document_needs, document_task
from data_pipelines.seqio_tasks.image_text import image_text_needs, image_text_task
from data_pipelines.seqio_tasks.text import text_needs, text_task


class Kind(NamedTuple):
    """How the recorded tasks of one kind are streamed.

    Attributes:
      needs: (recorded task, data config, row group) -> needs.
      task: (recorded task, data config, row group, format of its windows, text tokenizer) -> SeqIO task.
    """

    needs: Callable[..., Needs]
    task: Callable[..., SeededTask]


KINDS: Mapping[str, Kind] = {
    "control": Kind(control_needs, control_task),
    "text": Kind(text_needs, text_task),
    "vqa": Kind(image_text_needs, image_text_task),
    "captions": Kind(image_text_needs, image_text_task),
    "documents": Kind(document_needs, document_task),
}
