"""The check of texts and pictures before their import says what the import will leave out, and what will not fit."""

import io
import json

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from data_pipelines.importing.check import check_data
from data_pipelines.importing.vision_language import PictureConfig, SourceOptions
from data_pipelines.tokenizers.layout import TokenConfig
from gato_jax import cli

MODEL = TokenConfig(text_model="package:mistral_common/data/tokenizer.model.v1")


def picture(side=32):
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Four pictures with a caption each; one is empty, one is missing."""
    lines = []
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(picture())
        lines.append(json.dumps({"file_name": f"{number}.png", "caption": f"number {number}"}))
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    (tmp_path / "0.png").write_bytes(b"")
    (tmp_path / "1.png").unlink()
    return tmp_path


def lines(report):
    (task,) = report.tasks
    return [problem.line() for problem in task.problems]


def test_what_will_be_left_out(folder):
    report = check_data(folder, format="image_folder", tokens=MODEL)
    assert (report.errors, report.tasks[0].kind, report.tasks[0].sampled, report.tasks[0].total) == (
        0,
        "captions",
        5,
        5,
    )
    assert sorted(lines(report)) == [
        "note: a picture becomes 4 patches",
        "warning: 1 of 5 items are left out: picture file is missing",
        "warning: 1 of 5 items are left out: picture is empty",
    ]
    assert "(captions, 5 of 5 items read): can be used" in report.text()


def test_what_does_not_fit(folder):
    report_lines = lines(check_data(folder, format="image_folder", tokens=MODEL, window_length=4))
    assert report_lines[0].startswith(
        "error: a picture has 4 patches, and no text fits a window of 4 -> --max-patches 3"
    )
    tokens = TokenConfig(text_model=MODEL.text_model, max_observation_tokens=3)
    report_lines = lines(check_data(folder, format="image_folder", tokens=tokens))
    assert report_lines[0].startswith(
        "error: a picture has 4 patches, the table of positions 3 places -> --max-patches 3"
    )
    small = check_data(folder, format="image_folder", tokens=tokens, pictures=PictureConfig(size=16))
    assert small.errors == 0
    none = check_data(folder, format="image_folder", tokens=MODEL, pictures=PictureConfig(min_side=33))
    assert (
        "error: none of the 5 items that were read can be used: picture has a side under 33 pixels (3)"
        in lines(none)[0]
    )


def test_held_out_items(folder):
    for validation, says in ((1e-6, "nothing is held out: 0 of 3"), (1 - 1e-6, "nothing is left to train on: 3 of 3")):
        report_lines = lines(check_data(folder, format="image_folder", tokens=MODEL, validation=validation))
        assert any(
            line.startswith(f"warning: {says} items, by their ids -> another --validation") for line in report_lines
        )


def test_the_text_model_is_named(folder):
    (note,) = [line for line in lines(check_data(folder, format="image_folder")) if "text model" in line]
    assert "package:mistral_common/data/tokenizer.model.v1 has 32,000 pieces" in note
    assert "gato text-model DATA" in note


def test_a_sample_is_spread_over_the_source(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": "a" if n < 30 else 1}) for n in range(40)))
    report = check_data(tmp_path / "a.jsonl", format="text", tokens=MODEL, episodes=8)
    assert (report.tasks[0].sampled, report.tasks[0].total) == (8, 40)
    assert lines(report) == ["warning: 2 of 8 items are left out: int where a text is expected"]


def test_a_column_of_another_type(tmp_path, capsys):
    source = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"n": [1, 2]}), source)
    report_lines = lines(check_data(source, format="parquet", options=SourceOptions(columns={"text": "n"})))
    assert "text column 'n': expected text, found int64" in report_lines[0]
    # Both importers read parquet files.
    assert "-> if these are texts or pictures, --importer" in lines(check_data(source, format="parquet"))[0]
    with pytest.raises(SystemExit) as ended:
        cli.main(["check-data", str(source), "--format", "parquet", "--columns", "text", "n", "--json"])
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["tasks"][0]["unit"] == "items"
