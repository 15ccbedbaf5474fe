"""The formats that texts and pictures can be imported from."""

from collections.abc import Mapping

from data_pipelines.importing.common.formats import Format
from data_pipelines.importing.vision_language.readers import Reader, SourceOptions

_HERE = __name__.rpartition(".")[0]

FORMATS: Mapping[str, Format[SourceOptions, Reader]] = {
    "coco_captions": Format(f"{_HERE}.coco:CocoCaptions", "captions_<split>.json and the folder of its pictures"),
    "vqa_v2": Format(
        f"{_HERE}.coco:VisualQuestions", "VQAv2's questions and annotations JSON and the folder of the pictures"
    ),
    "ok_vqa": Format(
        f"{_HERE}.coco:VisualQuestions", "OKVQA's questions and annotations JSON and the folder of the pictures"
    ),
    "image_folder": Format(
        f"{_HERE}.image_folder:ImageFolder", "folder of pictures with captions.jsonl/.csv/.txt, or a .txt beside each"
    ),
    "text": Format(
        f"{_HERE}.text_files:TextFiles",
        "folder of .txt and .md files (a document each) and .jsonl files (one in each line)",
    ),
    "parquet": Format(
        f"{_HERE}.parquet:Parquet", "Hugging Face parquet files with text, or with pictures and captions or questions"
    ),
    "arrow": Format(f"{_HERE}.parquet:ArrowFolder", "folder of Hugging Face's save_to_disk, columns as for parquet"),
    "obelics": Format(
        f"{_HERE}.parquet:Interleaved", "parquet files of interleaved web documents: lists images and texts"
    ),
    "tfds": Format(
        f"{_HERE}.tfds_directory:TfdsDirectory",
        "prepared TFDS directory with text, or with pictures and captions or questions",
    ),
}
