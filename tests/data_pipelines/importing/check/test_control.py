"""The check explains each problem with a fix, on sources and on task directories, and its exit code says so."""

import io
import json
import pathlib
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from data_pipelines.importing.check import check_data
from data_pipelines.importing.control import ControlOptions, FilterConfig, import_episodes
from data_pipelines.importing.control.options import control_options
from data_pipelines.tokenizers.layout import TokenConfig
from gato_jax import cli

STEPS = 6


def episode(number=0, **changed):
    """An episode without any problem."""
    rng = np.random.default_rng(number)
    observation = {
        "cell": np.append(rng.integers(0, 5, STEPS), 0),
        "image": rng.integers(0, 256, (STEPS + 1, 32, 32, 3), dtype=np.uint8),
        "mission": np.array(["go to the door"] * (STEPS + 1)),
        "pos": rng.normal(size=(STEPS + 1, 3)).astype(np.float32),
    }
    action = rng.uniform(-1, 1, (STEPS, 2)).astype(np.float32)
    fields = {"observation": observation, "action": action, "reward": np.ones(STEPS)}
    for key, values in changed.items():
        (fields if key in fields else observation)[key] = values
    return fields


@pytest.fixture
def source(tmp_path):
    """Episodes to a folder of npz files."""
    from data_pipelines.importing.control.formats.npz import write_episodes

    def write(*episodes):
        folder = tmp_path / "source"
        shutil.rmtree(folder, ignore_errors=True)
        write_episodes(episodes or [episode(0), episode(1)], folder)
        return folder

    return write


@pytest.fixture
def imported(tmp_path):
    """A data directory with one imported task."""
    import_episodes([episode(n) for n in range(4)], tmp_path / "data", "toy.task", progress=lambda progress: None)
    return tmp_path / "data"


def lines(report):
    return [problem.line() for task in report.tasks for problem in task.problems]


def test_a_source_without_problems(source):
    report = check_data(source(), format="npz", options=ControlOptions(num_values={"cell": 5}))
    assert (report.errors, lines(report)) == (0, [])
    assert (report.tasks[0].sampled, report.tasks[0].total) == (2, 2)


PROBLEMS = {
    "a range": (
        {"action": np.full((STEPS, 2), 3.0, np.float32)},
        "error: 'action': expected values in [-1, 1] (the default), found [-0.523260772, 3]",
        "--action-low -1 --action-high 3 ",
    ),
    "NaN": ({"pos": np.full((STEPS + 1, 3), np.nan)}, "error: 'pos': NaN or Inf in episode '1', timestep 0", "--bad"),
    "a shape": (
        {"pos": np.zeros((STEPS + 1, 4), np.float32)},
        "error: 'pos': expected one shape, found [(3,), (4,)], first in episode '1'",
        "split the source",
    ),
    "a dtype": (
        {"cell": np.zeros(STEPS + 1, np.float32)}, "error: 'cell': expected one dtype, found ['int64', 'float32']", "",
    ),
    "a negative value": (
        {"cell": np.full(STEPS + 1, -1)},
        "error: 'cell': discrete values lie in [0, 5), found [-1",
        "--kinds cell continuous",
    ),
    "a large value": (
        {"cell": np.full(STEPS + 1, 9)}, "error: 'cell': discrete values lie in [0, 5), found", "--num-values cell",
    ),
    "a picture of another size": (
        {"image": np.zeros((STEPS + 1, 30, 32, 3), np.uint8)}, "error: 'image': expected one shape", "split",
    ),
    "a long text": (
        {"mission": np.array(["a very " * 20 + "long instruction"] * (STEPS + 1))},
        "error: 'mission': a text takes ", "tokens.text_tokens = ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_errors_of_a_source(source, name):
    changed, message, fix = PROBLEMS[name]
    options = ControlOptions(num_values={"cell": 5})
    report = check_data(source(episode(0), episode(1, **changed)), format="npz", options=options)
    matching = [line for line in lines(report) if line.startswith(message)]
    assert len(matching) == 1, lines(report)
    assert fix in matching[0]
    assert report.errors == 1


def test_warnings_and_notes_do_not_fail(source):
    constant = np.zeros((STEPS + 1, 3), np.float32)
    pos = constant + [0.0, 1.0, 500.0] + np.linspace(0, 1, STEPS + 1)[:, None] * [0.0, 0.0, 1.0]
    shown = {"pos": pos, "image": np.zeros((STEPS + 1, 30, 32, 3), np.uint8), "action": np.full((STEPS, 2), 0.5)}
    report = check_data(source(episode(0, **shown)), format="npz", options=ControlOptions(num_values={"cell": 5}))
    assert report.errors == 0
    report_lines = lines(report)
    for expected in (
        "warning: 'pos': 2 of 3 values never change (columns 0, 1): tokens for nothing -> cut them at the source",
        "warning: 'pos': values lie in [0, 50",
        "warning: 'action': values in [0.5, 0.5] use less than a twentieth of [-1, 1]",
        "warning: there is one episode, and prompts need another one",
        "note: 'image': 30x32 pixels are no multiples of 16 -> tokens.image_fit pads or stretches them",
        "note: 'pos': float64 -> each value becomes the nearest float32",
    ):
        assert any(line.startswith(expected) for line in report_lines), (expected, report_lines)
    assert report_lines == sorted(report_lines, key=lambda line: ("error", "warning", "note").index(line.split(":")[0]))


def test_what_does_not_fit_the_tokens(source):
    options = ControlOptions(num_values={"cell": 5})
    tokens = TokenConfig(max_observation_tokens=20)
    report_lines = lines(check_data(source(), format="npz", options=options, tokens=tokens))
    assert report_lines[0].startswith(
        "error: key 'mission': expected at most tokens.max_observation_tokens = 20 tokens, found 16, and 24 with"
    )
    report_lines = lines(check_data(source(), format="npz", options=options, window_length=26))
    assert report_lines == [
        "error: a timestep takes 27 places, a window has 26 -> a row group with window_length of at least 27 "
        "(--window-length)"
    ]


def pictures(path, broken=None):
    """Two episodes of four JPEG frames in a parquet file; half of one of them is missing."""
    buffer = io.BytesIO()
    Image.effect_noise((32, 32), 50).convert("RGB").save(buffer, "jpeg")
    files = [buffer.getvalue()] * 8
    if broken is not None:
        files[broken] = files[broken][: len(files[broken]) // 2]
    columns = {"observation.image": [{"bytes": file, "path": None} for file in files]}
    columns |= {"action": np.linspace(-1, 1, 8), "reward": [1.0] * 4 + [2.0] * 4, "episode_index": [0] * 4 + [1] * 4}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_frames_are_decoded(tmp_path, monkeypatch):
    """All of them: the first of an episode may be whole."""
    assert check_data(pictures(tmp_path / "a.parquet"), format="parquet").errors == 0
    report = check_data(pictures(tmp_path / "a.parquet", broken=6), format="parquet")
    assert lines(report)[0].startswith("error: episode '1': 'image': step 2: picture is broken (OSError) -> repair")
    monkeypatch.setattr("data_pipelines.importing.check.control._FRAMES", 6)
    report = check_data(pictures(tmp_path / "a.parquet"), format="parquet", episodes=2)
    assert not [line for line in lines(report) if "decoded" in line]
    monkeypatch.setattr("data_pipelines.importing.check.control._FRAMES", 4)
    report = check_data(pictures(tmp_path / "a.parquet"), format="parquet", episodes=2)
    assert "note: 5 frames were decoded, 5 of these episodes were not" in lines(report)


def test_the_filter_is_tried(tmp_path):
    source = pictures(tmp_path / "a.parquet")
    report_lines = lines(check_data(source, format="parquet", filter=FilterConfig(0.8)))
    assert "note: the filter keeps 1 of 2 episodes: expert return 8, bar 6.4" in report_lines
    report_lines = lines(check_data(source, format="parquet", filter=FilterConfig(0.8, floor=9.0)))
    assert "error: filter.floor must be below the expert return 8, found 9.0" in report_lines


def test_a_source_in_another_layout(tmp_path):
    report = check_data(tmp_path, format="lerobot")
    assert report.errors == 1
    assert "expected LeRobot's description" in lines(report)[0]
    with pytest.raises(ValueError, match=r"expected a data directory \(format.json\) or a task of one"):
        check_data(tmp_path)
    with pytest.raises(ValueError, match="no import format 'zip'"):
        check_data(tmp_path, format="zip")


def test_an_imported_task(imported):
    for path in (imported, imported / "toy.task"):
        report = check_data(path, tokens=TokenConfig(text_model="package:mistral_common/data/tokenizer.model.v1"))
        assert (report.errors, lines(report)) == (0, [])
        assert report.tasks[0].sampled == 4


def edit_spec(data, change):
    path = data / "toy.task" / "spec.json"
    spec = json.loads(path.read_text())
    change(spec, {item["key"]: item for item in spec["observation"]})
    path.write_text(json.dumps(spec))


SPECS = {
    "range": (lambda spec, items: spec["action"].update(low=-0.5), "error: 'action': expected values in [-0.5, 1]"),
    "shape": (lambda spec, items: items["pos"].update(shape=[4]), "error: 'pos': spec.json says shape (4,)"),
    "dtype": (lambda spec, items: items["pos"].update(dtype="float64"), "warning: 'pos': spec.json says float64"),
    "count": (lambda spec, items: items["cell"].update(num_values=2), "error: 'cell': discrete values lie in [0, 2)"),
    "key": (lambda spec, items: items["pos"].update(key="posture"), "error: 'posture': spec.json names it, the record"),
    "steps": (lambda spec, items: spec.update(max_episode_steps=3), "warning: an episode has 6 steps, more than max_"),
    "picture": (lambda spec, items: items["image"].update(shape=[16, 32, 3]), "error: 'image': spec.json says shape"),
}


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_spec_that_is_not_what_was_recorded(imported, name):
    change, message = SPECS[name]
    edit_spec(imported, change)
    report_lines = lines(check_data(imported))
    assert any(line.startswith(message) for line in report_lines), report_lines


def test_a_missing_last_step(tmp_path, imported):
    """The stream drops the last step of every episode, so one that has none loses an action."""
    from data_pipelines.recording.writers import ExampleWriter

    directory = next((imported / "toy.task").glob("chunk-*"))
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(directory)
    examples = []
    for example in builder.as_dataset(split="train"):
        steps = [step for step in tfds.as_numpy(example["steps"])][:-1]
        examples.append({"steps": steps, "episode_id": "a", "episode_return": np.float32(0)})
    features = dict(builder.info.features)
    shutil.rmtree(directory)
    with ExampleWriter(directory, name="toy_task", features=features, splits=("train",)) as writer:
        writer.write("train", examples)
    report_lines = lines(check_data(imported))
    assert report_lines[0].startswith("error: 4 of 4 episodes do not end with a step that is_last")
    assert "gato import-data --format rlds" in report_lines[0]


def test_damaged_files(imported):
    path = next(imported.rglob("*.tfrecord*"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert "truncated inside record 3 of 4" in lines(check_data(imported))[0]
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    report = check_data(imported)
    assert report.errors == 1
    assert f"{path.name}: a record does not match its checksum" in lines(report)[0]
    assert lines(report)[0].endswith("-> record or import it again")
    (imported / "toy.task" / "recording.json").unlink()
    assert "is not completely recorded" in lines(check_data(imported / "toy.task"))[0]


def test_recorded_tasks_have_no_errors(recorded_data):
    report = check_data(recorded_data, episodes=8)
    assert report.errors == 0, report.text()
    assert {task.kind for task in report.tasks} == {"control", "text", "vqa"}
    assert "metaworld.drawer_close (control, 8 of 12 episodes read): can be used" in report.text()


def test_the_command(source, capsys):
    folder = source(episode(0), episode(1, action=np.full((STEPS, 2), 3.0, np.float32)))
    with pytest.raises(SystemExit) as caught:
        cli.main(["check-data", str(folder), "--format", "npz", "--json"])
    assert caught.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["errors"] == 1
    assert report["tasks"][0]["problems"][0]["severity"] == "error"
    cli.main(["check-data", str(folder), "--format", "npz", "--action-low", "-3", "--action-high", "3"])
    assert "2 of 2 episodes read): can be used" in capsys.readouterr().out
    assert control_options(kinds={"a": "text"}).kinds["a"].value == "text"
    assert pathlib.Path(folder).is_dir()
