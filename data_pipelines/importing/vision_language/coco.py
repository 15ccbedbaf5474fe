"""The JSON layouts around MS-COCO: captions, VQAv2, OKVQA. One file for a split; pictures lie in a folder.

captions_train2017.json                              {"images": [{id, file_name}], "annotations": [{image_id, caption}]}
v2_OpenEnded_mscoco_train2014_questions.json         {"questions": [{question_id, image_id, question}]}
v2_mscoco_train2014_annotations.json                 {"annotations": [{question_id, image_id, answers: [{answer}]}]}
train2017/  train2014/                               pictures
"""

import collections
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.shuffling import shuffled
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.vision_language.items import Captions, Item, Question, Unusable
from data_pipelines.importing.vision_language.readers import SourceOptions


class CocoCaptions:
    """Every picture of a COCO captions file with all its captions.

    Args:
      source: the JSON file, or a folder that holds it (or has it in `annotations/`).
      options: `split` chooses the file by its name, `images` is the folder of the pictures.

    Raises:
      SourceError: no such file, several, or another content.
    """

    kind = "captions"

    def __init__(self, source: Path, options: SourceOptions):
        path = find_json(source, "captions_*.json", options.split)
        content = read_json(path, ("images", "annotations"))
        self.stamp = file_stamp(path.parent, [path])
        self._folder = picture_folder(path, options, path.stem.removeprefix("captions_"))
        said: dict[Any, list[str]] = collections.defaultdict(list)
        try:
            for annotation in content["annotations"]:
                said[annotation["image_id"]].append(annotation["caption"])
            self._pictures = shuffled(
                [(str(image["file_name"]), tuple(said[image["id"]])) for image in content["images"]]
            )
        except (KeyError, TypeError) as error:
            raise SourceError(f"{path}: expected image ids, file names and captions, found none: {error!r}") from error

    def __len__(self) -> int:
        return len(self._pictures)

    def items(self, start: int) -> Iterator[Item]:
        for name, captions in self._pictures[start:]:
            yield Captions(name, self._folder / name, captions)


class VisualQuestions:
    """Every question of VQAv2 or OKVQA with its picture and its most common answer.

    Args:
      source: folder of the two JSON files (or with them one folder deeper), or the file of the questions.
      options: `split` chooses the files by their names, `images` is the folder of the pictures.

    Raises:
      SourceError: no such files, several, or another content.
    """

    kind = "vqa"

    def __init__(self, source: Path, options: SourceOptions):
        questions = find_json(source, "*OpenEnded*_questions.json", options.split)
        folder = source.parent if source.is_file() else source
        annotations = find_json(folder, "*mscoco*_annotations.json", options.split)
        self.stamp = file_stamp(folder, [questions, annotations])
        asked = read_json(questions, ("questions",))
        answered = read_json(annotations, ("annotations",))
        self._subset = str(asked.get("data_subtype") or answered.get("data_subtype") or options.split)
        self._folder = picture_folder(questions, options, self._subset)
        try:
            answers = {entry["question_id"]: _answers(entry) for entry in answered["annotations"]}
            self._questions = shuffled(
                [
                    (int(entry["image_id"]), str(entry["question"]), answers.get(entry["question_id"]))
                    for entry in asked["questions"]
                ]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(
                f"{questions}: expected question_id, image_id, question and answers, found none: {error!r}"
            ) from error
        self._names: dict[int, Path] = {}

    def __len__(self) -> int:
        return len(self._questions)

    def items(self, start: int) -> Iterator[Item]:
        for image, question, answers in self._questions[start:]:
            identity = f"{self._subset}/{image}"
            if answers is None:
                yield Unusable(identity, "question has no annotation")
            else:
                yield Question(identity, self._picture(image), question, *answers)

    def _picture(self, image: int) -> Path:
        """COCO_train2014_000000000009.jpg, as of 2014, or 000000000009.jpg, as of 2017."""
        if image not in self._names:
            names = [f"COCO_{self._subset}_{image:012d}.jpg", f"{image:012d}.jpg", f"{image}.jpg", f"{image}.png"]
            paths = [self._folder / name for name in names]
            self._names[image] = next((path for path in paths if path.exists()), paths[0])
        return self._names[image]


def _answers(annotation: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The answer to train on, and all answers; interned, because half a million questions share a few thousand."""
    given = tuple(sys.intern(str(answer["answer"])) for answer in annotation.get("answers", ()))
    return sys.intern(str(annotation.get("multiple_choice_answer") or most_common(given))), given


def most_common(answers: Sequence[str]) -> str:
    """The answer given most often, the first of those that tie, "" of none."""
    return collections.Counter(answers).most_common(1)[0][0] if answers else ""


def find_json(source: Path, pattern: str, split: str) -> Path:
    """The one JSON file of a split. Raises `SourceError` when there is none, or more than one."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise SourceError(f"no file or folder {str(source)!r}")
    everywhere = sorted({*source.glob(pattern), *source.glob(f"*/{pattern}")})
    found = [path for path in everywhere if split in path.name]
    if len(found) != 1:
        names = [str(path.relative_to(source)) for path in found or everywhere]
        raise SourceError(
            f"{source}: expected one file {pattern!r} with {split!r} in its name, found {names}; the option split "
            f"chooses another"
        )
    return found[0]


def read_json(path: Path, keys: Sequence[str]) -> Mapping[str, Any]:
    """A JSON object with these lists. Raises `SourceError` naming what is missing."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SourceError(f"{path}: expected JSON, found: {error}") from error
    missing = [key for key in keys if not isinstance(content, dict) or not isinstance(content.get(key), list)]
    if missing:
        found = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise SourceError(f"{path}: expected lists {list(keys)}, found {found}")
    return content


def picture_folder(annotations: Path, options: SourceOptions, subset: str) -> Path:
    """The folder of the pictures: the one named, or the one of this subset near the annotations."""
    parent = annotations.parent
    near = (parent / subset, parent / "images" / subset, parent.parent / subset, parent.parent / "images" / subset)
    candidates = (options.images,) if options.images is not None else near
    for folder in candidates:
        if folder.is_dir():
            return folder / subset if options.images is not None and (folder / subset).is_dir() else folder
    raise SourceError(f"{annotations}: expected pictures in one of {[str(path) for path in candidates]}; name images")
