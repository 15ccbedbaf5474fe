"""The formats that can be imported."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from data_pipelines.importing.vision_language.coco import CocoCaptions, VisualQuestions
from data_pipelines.importing.vision_language.image_folder import ImageFolder
from data_pipelines.importing.vision_language.parquet import Interleaved, Parquet
from data_pipelines.importing.vision_language.readers import Reader, SourceOptions
from data_pipelines.importing.vision_language.text_files import TextFiles


@dataclasses.dataclass(frozen=True)
class Format:
    """One layout of a source.

    Args:
      open: (source, options) to a reader; raises `SourceError` when the source is not in this layout.
      description: what the source is, in a few words.
    """

    open: Callable[[Path, SourceOptions], Reader]
    description: str


def _tfds_directory(source: Path, options: SourceOptions) -> Reader:
    # TensorFlow is needed to read these, and only these.
    from data_pipelines.importing.vision_language.tfds_directory import TfdsDirectory

    return TfdsDirectory(source, options)


FORMATS: Mapping[str, Format] = {
    "coco_captions": Format(CocoCaptions, "captions_<split>.json and the folder of its pictures"),
    "vqa_v2": Format(VisualQuestions, "VQAv2's questions and annotations JSON and the folder of the pictures"),
    "ok_vqa": Format(VisualQuestions, "OKVQA's questions and annotations JSON and the folder of the pictures"),
    "image_folder": Format(ImageFolder, "folder of pictures with captions.jsonl/.csv/.txt, or a .txt beside each"),
    "text": Format(TextFiles, "folder of .txt and .md files (a document each) and .jsonl files (one in each line)"),
    "parquet": Format(Parquet, "Hugging Face parquet files with text, or with pictures and captions or questions"),
    "obelics": Format(Interleaved, "parquet files of interleaved web documents: lists images and texts"),
    "tfds": Format(_tfds_directory, "prepared TFDS directory with text, or with pictures and captions or questions"),
}
