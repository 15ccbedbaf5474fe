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
from data_pipelines.importing.vision_language.items import Captions, Item, Question, Unusable, with_pictures
from data_pipelines.importing.vision_language.readers import SourceOptions
from data_pipelines.importing.vision_language.values import as_id, most_common
from data_pipelines.read_json import json_damage


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
        stamp = file_stamp(path.parent, [path])
        self._folder = picture_folder(path, options, path.stem.removeprefix("captions_"))
        pictures, lost = _by(content["images"], "id", ("file_name",), "picture")
        if not pictures:
            raise SourceError(f"{path}: expected pictures with id and file_name, found: {_reasons(lost)}")
        said: dict[Any, list[Any]] = collections.defaultdict(list)
        for number, annotation in enumerate(content["annotations"]):
            image, caption = (_field(annotation, key) for key in ("image_id", "caption"))
            if image not in pictures:
                lost.append(Unusable(f"annotation {number}", "annotation names no picture of the list"))
            elif not isinstance(caption, str):
                lost.append(Unusable(f"annotation {number}", _lacks("annotation", "caption", caption)))
            else:
                said[image].append(caption)
        items = shuffled([(str(image["file_name"]), tuple(said[key])) for key, image in pictures.items()])
        self.stamp = with_pictures(stamp, (self._folder / name for name, _ in items), self._folder)
        self._items: list[Item] = [Captions(as_id(name), self._folder / name, captions) for name, captions in items]
        self._items += lost

    def __len__(self) -> int:
        return len(self._items)

    def items(self, start: int) -> Iterator[Item]:
        yield from self._items[start:]


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
        stamp = file_stamp(folder, [questions, annotations])
        asked = read_json(questions, ("questions",))
        answered = read_json(annotations, ("annotations",))
        self._subset = str(asked.get("data_subtype") or answered.get("data_subtype") or options.split)
        self._folder = picture_folder(questions, options, self._subset)
        answers, lost = _by(answered["annotations"], "question_id", (), "annotation")
        question_items: list[tuple[int, str, tuple[str, tuple[str, ...]]]] = []
        identities = set()
        for number, entry in enumerate(asked["questions"]):
            identity, image, question = (_field(entry, key) for key in ("question_id", "image_id", "question"))
            identities.add(identity)
            name = f"question {number}"
            if not isinstance(question, str) or not isinstance(image, int):
                key, value = ("question", question) if not isinstance(question, str) else ("image_id", image)
                lost.append(Unusable(name, _lacks("question", key, value)))
            elif identity not in answers:
                lost.append(Unusable(f"{self._subset}/{image}", "question has no annotation"))
            elif (answer := _answers(answers[identity])) is None:
                lost.append(Unusable(name, "an answer is no text"))
            else:
                question_items.append((image, question, answer))
        lost += [
            Unusable(f"{key}", "annotation names no question of the list") for key in answers if key not in identities
        ]
        if not question_items:
            raise SourceError(f"{questions}: expected question_id, image_id, question and answers: {_reasons(lost)}")
        self._questions, self._lost = shuffled(question_items), lost
        self._names: dict[int, Path] = {}
        self.stamp = with_pictures(stamp, map(self._picture, {image for image, *_ in question_items}), self._folder)

    def __len__(self) -> int:
        return len(self._questions) + len(self._lost)

    def items(self, start: int) -> Iterator[Item]:
        for image, question, answers in self._questions[start:]:
            yield Question(f"{self._subset}/{image}", self._picture(image), question, *answers)
        yield from self._lost[max(0, start - len(self._questions)) :]

    def _picture(self, image: int) -> Path:
        """COCO_train2014_000000000009.jpg, as of 2014, or 000000000009.jpg, as of 2017."""
        if image not in self._names:
            names = [f"COCO_{self._subset}_{image:012d}.jpg", f"{image:012d}.jpg", f"{image}.jpg", f"{image}.png"]
            paths = [self._folder / name for name in names]
            self._names[image] = next((path for path in paths if path.exists()), paths[0])
        return self._names[image]


def _by(
    entries: Sequence[Any], key: str, needed: Sequence[str], what: str
) -> tuple[dict[Any, Mapping[str, Any]], list[Unusable]]:
    """Entries by their id, and those that cannot be used: without an id or a field, or with an id that another has."""
    by_key: dict[Any, Mapping[str, Any]] = {}
    lost: list[Unusable] = []
    for number, entry in enumerate(entries):
        missing = [name for name in (key, *needed) if not isinstance(_field(entry, name), int | str)]
        if missing:
            lost.append(Unusable(f"{what} {number}", _lacks(what, missing[0], _field(entry, missing[0]))))
        elif entry[key] in by_key:
            lost.append(Unusable(f"{what} {number}", f"{what} has the id of another"))
        else:
            by_key[entry[key]] = entry
    return by_key, lost


def _field(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, Mapping) else None


def _lacks(what: str, key: str, value: Any) -> str:
    return f"{what} lacks {key}" if value is None else f"{what} has {type(value).__name__} as its {key}"


def _reasons(lost: Sequence[Unusable]) -> str:
    counts = collections.Counter(one.reason for one in lost)
    return ", ".join(f"{reason} ({count})" for reason, count in counts.most_common(4)) or "none"


def _answers(annotation: Mapping[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    """The answer to train on, and all answers, None where one is no text.

    They are interned, because half a million questions share a few thousand.
    """
    texts = [_field(answer, "answer") for answer in annotation.get("answers") or ()]
    if not all(isinstance(answer, str) for answer in texts):
        return None
    chosen = annotation.get("multiple_choice_answer") or most_common(texts)
    return (sys.intern(chosen), tuple(map(sys.intern, texts))) if isinstance(chosen, str) else None


def find_json(source: Path, pattern: str, split: str) -> Path:
    """The one JSON file of a split. Raises `SourceError` when there is none, or more than one."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise SourceError(f"no file or folder {str(source)!r}")
    everywhere = sorted({*source.glob(pattern), *source.glob(f"*/{pattern}")})
    paths = [path for path in everywhere if split in path.name]
    if len(paths) != 1:
        names = [str(path.relative_to(source)) for path in paths or everywhere]
        raise SourceError(
            f"{source}: expected one file {pattern!r} with {split!r} in its name, found {names}; the option split "
            f"chooses another"
        )
    return paths[0]


def read_json(path: Path, keys: Sequence[str]) -> Mapping[str, Any]:
    """A JSON object with these lists. Raises `SourceError` naming what is missing."""
    data = path.read_bytes()
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: expected JSON, found {json_damage(data, error)}") from error
    missing = [key for key in keys if not isinstance(content, dict) or not isinstance(content.get(key), list)]
    if missing:
        actual = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise SourceError(f"{path}: expected lists {list(keys)}, found {actual}")
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
