"""An import goes on after an interrupt, is reused, and says what it left out."""

import dataclasses
import hashlib
import itertools
import json
import re

import numpy as np
import pytest

from data_pipelines.importing.common.shuffling import share
from data_pipelines.importing.vision_language import ImportingError, PictureConfig, import_vision_language
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.recording import RecordingError
from data_pipelines.schema import RowGroup
from data_pipelines.storage.recorded_tasks import language_tasks, read_task
from data_pipelines.stream.stream import Stream, batch_hash
from gato_jax import cli
from gato_jax.evaluation import validation
from gato_jax.evaluation.evaluate import split_tasks


def write_lines(path, count):
    path.write_text("\n".join(json.dumps({"text": f"text number {n}"}) for n in range(count)))


def contents(task):
    return {
        str(path.relative_to(task)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(task.rglob("*.tfrecord*"))
    }


def test_an_interrupted_import_goes_on_and_gives_the_same_data(tmp_path, sources):
    sources.write_coco(tmp_path / "coco", [(16, 16)] * 300)

    def run(data, progress):
        return import_vision_language(
            tmp_path / "coco", tmp_path / data, "captions.coco", format="coco_captions", validation=0.2, chunk=70,
            progress=progress, threads=1 if data == "whole" else 3,
        )  # fmt: skip

    done = []

    def interrupt(progress):
        done.append(progress.done)
        if progress.done >= 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("cut", interrupt)
    assert not (tmp_path / "cut" / "captions.coco").exists()
    messages = []
    summary = run("cut", lambda progress: messages.append((progress.message, progress.done)))
    assert messages[0] == ("goes on after 140 items of an earlier run", 140)
    assert summary == dataclass_like(summary, run("whole", lambda progress: None))
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == [
        ".lock",
        ".sources",
        "captions.coco",
        "format.json",
    ]
    again = run("cut", lambda progress: pytest.fail("nothing is left to do"))
    assert again.reused
    assert again.counts == summary.counts


def dataclass_like(summary, other):
    """The other summary with the wall time of this one."""
    return type(summary)(**{**other.to_dict(), "seconds": summary.seconds, "image_patches": other.image_patches})


def test_other_settings_are_refused(tmp_path, sources):
    sources.write_coco(tmp_path / "coco", [(16, 16)] * 3)

    def run(**options):
        return import_vision_language(
            tmp_path / "coco", tmp_path / "data", "captions.coco", format="coco_captions",
            progress=lambda progress: None, **options,
        )  # fmt: skip

    run()
    with pytest.raises(RecordingError, match=r"recorded with other settings \(pictures:.*'size': 64"):
        run(pictures=PictureConfig(size=64))
    with pytest.raises(ValueError, match=re.escape("validation must lie in [0, 1), found 1")):
        run(validation=1)


def test_splits_follow_the_id_alone(tmp_path):
    write_lines(tmp_path / "a.jsonl", 400)
    options = {"format": "text", "validation": 0.25, "progress": lambda progress: None}
    summary = import_vision_language(tmp_path / "a.jsonl", tmp_path / "data", "text.a", **options)
    expected = sum(share(f"a.jsonl:{number}") < 0.25 for number in range(400))
    assert summary.counts == {"train": 400 - expected, "validation": expected}
    assert 70 < expected < 130
    assert read_task(tmp_path / "data", "text.a").examples("validation") == expected


def test_an_import_of_which_nothing_can_be_used(tmp_path):
    (tmp_path / "a.jsonl").write_text("broken\n" * 3)
    with pytest.raises(ImportingError, match=r"none of 3 items could be used: line is not a JSON object \(3\)"):
        import_vision_language(tmp_path / "a.jsonl", tmp_path / "data", "text.a", format="text")
    (tmp_path / "a.jsonl").write_text("broken\n" * 5000)
    with pytest.raises(ImportingError, match=r"none of the first 1024 items"):
        import_vision_language(tmp_path / "a.jsonl", tmp_path / "data", "text.a", format="text")


@pytest.mark.parametrize("task", ["coco", "a/b.c", ".hidden", "domain."])
def test_task_names(tmp_path, task):
    with pytest.raises(ValueError, match=r"named 'domain\.name'"):
        import_vision_language(tmp_path, tmp_path / "data", task, format="text")


def test_the_command(tmp_path, sources, capsys):
    sources.write_coco(tmp_path / "coco", [(32, 64)] * 2 + [(48, 48)])
    (tmp_path / "coco/train2017/000000000001.png").unlink()
    cli.main(["import-text-images", str(tmp_path / "coco"), "captions.coco", "--format", "coco_captions", "--data",
              str(tmp_path / "data"), "--size", "32", "--validation", "0", "--json"])  # fmt: skip
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"train": 2, "validation": 0}
    assert report["skipped"] == {"picture file is missing": 1}
    assert report["image_patches"] == [2, 4]


def test_pictures_larger_than_the_budgets_are_told_of_at_start_up(tmp_path, sources, configure):
    sources.write_coco(tmp_path / "coco", [(160, 160), (32, 32)] * 4)
    import_vision_language(
        tmp_path / "coco", tmp_path / "data", "captions.coco", format="coco_captions", progress=lambda progress: None
    )
    with pytest.raises(ValueError, match=r"'captions.coco': 1 windows of 200 patches need patches = 200, found 150"):
        Stream(configure(tmp_path / "data", "captions.coco", {"window_length": 200, "patches": 150}))
    with pytest.raises(ValueError, match=r"'captions.coco': needs window_length of at least 101, found 90"):
        Stream(configure(tmp_path / "data", "captions.coco", {"window_length": 90, "patches": 90}))


def test_documents_through_the_stream(tmp_path, sources, configure, rows):
    arrays = {(d, i): sources.pixels(10 * d + i, 16 + 16 * (d % 3), 32) for d in range(20) for i in range(2)}
    documents = [[f"start {d}", arrays[d, 0], f"middle {d}", arrays[d, 1], f"end {d}"] for d in range(20)]
    sources.write_documents(tmp_path / "x.parquet", documents)
    summary = import_vision_language(
        tmp_path / "x.parquet", tmp_path / "data", "web.documents", format="obelics", progress=lambda progress: None
    )
    assert (summary.kind, summary.image_patches) == ("documents", (2, 6))
    order = {array.tobytes(): number for array, number in zip(arrays.values(), arrays, strict=True)}
    stream = Stream(configure(tmp_path / "data", "web.documents", {"window_length": 64, "patches": 14}))
    shown = 0
    for batch in (next(stream)["all"] for _ in range(5)):
        for row in rows(batch):
            numbers = [order[picture.tobytes()] for picture in row.pictures()]
            shown += len(numbers)
            text = "\n".join(row.texts())
            # The two pictures of a document stand around its middle.
            for first, second in itertools.pairwise(numbers):
                if first[0] == second[0] and second[1]:  # A document may follow itself.
                    assert (first[1], second[1]) == (0, 1)
                    assert f"middle {first[0]}" in text
            assert len(row.patches) <= 14
    stream.close()
    assert shown > 20
    with pytest.raises(ValueError, match=r"'web.documents': 1 windows of 6 patches need patches = 6, found 5"):
        Stream(configure(tmp_path / "data", "web.documents", {"window_length": 64, "patches": 5}))


def test_what_evaluation_reads_of_imports(tmp_path, sources, configure):
    """Questions about pictures of any size are asked, and captions with all that people wrote."""
    options = {"validation": 0.4, "progress": lambda progress: None}
    (tmp_path / "asked").mkdir()
    lines = []
    for number in range(12):
        array = sources.pixels(number, 16, 16 * (1 + number % 2))
        (tmp_path / f"asked/{number}.png").write_bytes(sources.encoded(array))
        lines.append(json.dumps({"file_name": f"{number}.png", "question": f"q {number}?", "answer": f"a {number}"}))
    (tmp_path / "asked/captions.jsonl").write_text("\n".join(lines))
    sources.write_coco(tmp_path / "coco", [(16, 32)] * 12)
    data = tmp_path / "data"
    import_vision_language(tmp_path / "asked", data, "vqa.mine", format="image_folder", **options)
    import_vision_language(tmp_path / "coco", data, "captions.coco", format="coco_captions", **options)
    assert language_tasks(data, ["vqa.mine", "captions.coco", "none.here"]) == ["vqa.mine", "captions.coco"]
    tasks, shape = ("vqa.mine", "captions.coco"), {"window_length": 32, "patches": 20}
    mixture = MixtureConfig(dict.fromkeys(tasks, 1.0), {"all": RowGroup(tasks, **shape)}, 4)
    config = dataclasses.replace(configure(data, "vqa.mine", shape), mixture=mixture)
    read = validation.read(config, tasks, rows=4, questions=100, texts=4)
    asked, captioned = read["vqa.mine"], read["captions.coco"]
    assert asked.batches["loss_mask"].sum() > 0
    assert {picture.shape for picture in asked.pictures} == {(16, 16, 3), (16, 32, 3)}
    for question, answer, picture in zip(asked.questions, asked.answers, asked.pictures, strict=True):
        number = int(question.removeprefix("q ").removesuffix("?"))
        assert answer == f"a {number}"
        np.testing.assert_array_equal(picture, sources.pixels(number, 16, 16 * (1 + number % 2)))
    assert captioned.batches["loss_mask"].sum() > 0
    assert len(captioned.pictures) > 0
    for written, picture in zip(captioned.references, captioned.pictures, strict=True):
        number = int(written[0].split()[-1])
        assert sorted(written) == [f"a gradient called {number}", f"picture number {number}"]
        np.testing.assert_array_equal(picture, sources.pixels(number, 16, 32))
    assert split_tasks(["captions.coco"], None, imported=["captions.coco"]) == ([], ["captions.coco"])


def test_mixed_rows_are_the_same_on_two_hosts_and_after_a_resume(tmp_path, sources, configure):
    """Captions, documents and text of one group: five pictures in one row, some in the next, none in a third."""
    sources.write_coco(tmp_path / "coco", [(16, 32), (48, 48)] * 8)
    documents = [[f"start {d}", sources.pixels(d, 32, 32), f"end {d}"] for d in range(12)]
    sources.write_documents(tmp_path / "x.parquet", documents)
    write_lines(tmp_path / "a.jsonl", 40)
    data, options = tmp_path / "data", {"validation": 0.0, "progress": lambda progress: None}
    import_vision_language(tmp_path / "coco", data, "captions.coco", format="coco_captions", **options)
    import_vision_language(tmp_path / "x.parquet", data, "web.documents", format="obelics", **options)
    import_vision_language(tmp_path / "a.jsonl", data, "text.lines", format="text", **options)
    config = configure(data, "captions.coco", {"window_length": 96, "patches": 45})
    tasks = ("captions.coco", "text.lines", "web.documents")
    mixture = MixtureConfig(dict.fromkeys(tasks, 1.0), {"all": RowGroup(tasks, window_length=96, patches=45)}, 8)
    config = dataclasses.replace(config, mixture=mixture)
    whole = Stream(config)
    batches = [next(whole) for _ in range(4)]
    assert set(np.concatenate([batch["all"]["task_id"] for batch in batches])) == {0, 1, 2}
    halves = [Stream(config, host=host, hosts=2, pipelines=whole.pipelines) for host in range(2)]
    for batch in batches:
        parts = [next(half)["all"] for half in halves]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        assert batch_hash({"all": joined}) == batch_hash(batch)
    later = Stream(config, start_step=2, pipelines=whole.pipelines)
    assert [batch_hash(next(later)) for _ in range(2)] == [batch_hash(batch) for batch in batches[2:]]
