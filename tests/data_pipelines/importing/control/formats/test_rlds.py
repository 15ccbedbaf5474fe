"""RLDS data sets that TFDS's own builders wrote: real last steps, several pictures in a step, and damage."""

import io
import json
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data_pipelines.importing.check import check_data
from data_pipelines.importing.control import ControlOptions, LastStep, SourceError, import_data, open_source
from data_pipelines.importing.control.conventions import chosen_layout

QUIET = {"progress": lambda progress: None}
VECTOR = tfds.features.Tensor(shape=(1,), dtype=np.float32)
FLAGS = {"is_first": np.bool_, "is_last": np.bool_, "is_terminal": np.bool_}
STEPS = 6


def flags(number):
    return {"is_first": number == 0, "is_last": number == STEPS - 1, "is_terminal": number == STEPS - 1}


@pytest.fixture(scope="module")
def built(build_tfds, tmp_path_factory):
    """Name and features of a step, and (episode, number) to a step, to the folder of two episodes; built once each."""
    root, directories = tmp_path_factory.mktemp("rlds"), {}

    def build(name, features, step):
        if name not in directories:
            examples = [{"steps": [step(e, t) for t in range(STEPS)]} for e in range(2)]
            directories[name] = build_tfds(root, name, {"steps": tfds.features.Dataset(features)}, examples)
        return directories[name]

    return build


@pytest.fixture
def last(built):
    """The usual template of a builder: a real action and reward in every step, also the last."""
    features = {"observation": {"state": VECTOR}, "action": VECTOR, "reward": np.float32, **FLAGS}
    return built(
        "last_is_real",
        features,
        lambda e, t: {
            "observation": {"state": [t]}, "action": [0.1 * t + e], "reward": float(t == STEPS - 1), **flags(t),
        },
    )  # fmt: skip


def read(path, **options):
    options = ControlOptions(**options)
    reader = open_source(path, "rlds", options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    return reader, list(reader.episodes(0, layout.columns))


def test_a_real_last_step_is_told_of(last, tmp_path):
    options = {"action_low": -1.0, "action_high": 2.0}
    auto = import_data(last, tmp_path, "toy.auto", format="rlds", options=ControlOptions(**options), **QUIET)
    assert auto.steps == 2 * (STEPS - 1)
    told = [note for note in auto.notes if "placeholder, because is_last is set" in note]
    assert [note.partition(": the last step")[0] for note in told] == ["warning: 'action'", "warning: 'reward'"]
    assert (
        "its action is neither zero nor the one before again (in 2 of 2 episodes, first in episode '0', step 5"
        in (told[0])
    )
    assert "its reward is not zero (in 2 of 2 episodes" in told[1]
    assert all("--last-step real keeps the last step" in note for note in told)
    for choice, steps in ((LastStep.REAL, 2 * STEPS), (LastStep.DUMMY, 2 * (STEPS - 1))):
        chosen = ControlOptions(last_step=choice, **options)
        summary = import_data(last, tmp_path, f"toy.{choice.value}", format="rlds", options=chosen, **QUIET)
        assert summary.steps == steps
        assert not [note for note in summary.notes if "because is_last is set" in note]


def test_placeholders_are_not_told_of(built, tmp_path):
    """Zeros, copies of the action before, and NaN: none of them is an action."""
    features = {"observation": VECTOR, "action": VECTOR, "reward": np.float32, **FLAGS}
    ends = {"zeros": 0.0, "copies": 0.1 * (STEPS - 2), "nans": np.nan}
    for name, end in ends.items():
        path = built(
            name, features,
            lambda e, t, end=end: {"observation": [t], "action": [0.1 * t if t < STEPS - 1 else end],
                                   "reward": 0.0, **flags(t)},
        )  # fmt: skip
        notes = import_data(path, tmp_path, f"toy.{name}", format="rlds", **QUIET).notes
        assert not [note for note in notes if "placeholder" in note], (name, notes)


def frame(number, camera=0):
    return np.full((32, 32, 3), 9 * number + 100 * camera, np.uint8)


def test_several_pictures_in_a_step(built, tmp_path, layouts):
    """TFDS cannot read this data set of its own: it stores the sequence as ragged, and reads it by its length."""
    image = tfds.features.Sequence(tfds.features.Image(shape=(32, 32, 3)), length=2)
    features = {"observation": {"frames": image}, "action": VECTOR, "reward": np.float32, "is_last": np.bool_}
    path = built(
        "stack", features,
        lambda e, t: {"observation": {"frames": [frame(t), frame(t, 1)]}, "action": [0.1 * t], "reward": 1.0,
                      "is_last": False},
    )  # fmt: skip
    summary = import_data(path, tmp_path, "toy.stack", format="rlds", **QUIET)
    assert summary.observation == {"frames/0": "image [32, 32, 3]", "frames/1": "image [32, 32, 3]"}
    assert "observation/frames: 2 pictures in each step, read as observation/frames/0 to observation/frames/1" in (
        summary.notes
    )
    stored = next(iter(layouts.read_steps(tmp_path, "toy.stack")))
    for camera in range(2):
        pictures = stored[f"observation/frames/{camera}"]
        decoded = [np.asarray(Image.open(io.BytesIO(file))) for file in pictures[:STEPS]]
        np.testing.assert_array_equal(decoded, [frame(t, camera) for t in range(STEPS)])


def test_sequences_and_class_labels(built):
    sequence = tfds.features.Sequence(tfds.features.Tensor(shape=(2,), dtype=np.float32), length=3)
    features = {
        "observation": {"points": sequence, "ragged": tfds.features.Sequence(np.int64),
                        "pictures": tfds.features.Sequence(tfds.features.Image(shape=(16, 16, 3)))},
        "action": tfds.features.ClassLabel(num_classes=5), "reward": np.float32,
    }  # fmt: skip
    points = np.arange(6, dtype=np.float32).reshape(3, 2)
    path = built(
        "sequences", features,
        lambda e, t: {"observation": {"points": points + t, "ragged": list(range(t)), "pictures": [frame(t)[:16, :16]]},
                      "action": t % 5, "reward": 0.0},
    )  # fmt: skip
    reader, episodes = read(path, leave_out=("ragged", "pictures"))
    assert reader.spec.num_values == {"action": 5}
    np.testing.assert_array_equal(episodes[1].columns["observation/points"], [points + t for t in range(STEPS)])
    with pytest.raises(SourceError, match=r"episode '0': 'observation/ragged': expected sequences of one length"):
        read(path, leave_out=("points", "pictures"))
    with pytest.raises(SourceError, match=r"'observation/pictures': 1 pictures in a step, of no declared number"):
        read(path, leave_out=("points", "ragged"))


def shard(path):
    return next(path.glob("*.tfrecord*"))


def replaced(name, old, new):
    def change(path):
        text = (path / name).read_text()
        assert old in text
        (path / name).write_text(text.replace(old, new))

    return change


def flipped(path):
    whole = bytearray(shard(path).read_bytes())
    whole[100] ^= 1
    shard(path).write_bytes(bytes(whole))


def edited(change):
    """Changes the features that features.json declares of a data set, and of its steps."""

    def edit(path):
        declared = json.loads((path / "features.json").read_text())
        features = declared["featuresDict"]["features"]
        change(features, features["steps"]["sequence"]["feature"]["featuresDict"]["features"])
        (path / "features.json").write_text(json.dumps(declared))

    return edit


DAMAGE = {
    "a missing shard": (
        lambda path: shard(path).unlink(),
        "declares 1 file(s) of split 'train', of which are missing: last_is_real-train.tfrecord-00000-of-00001",
    ),
    "a stranger": (
        lambda path: shutil.copy(shard(path), path / "last_is_real-train.tfrecord-00001-of-00002"),
        "declares 1 file(s) of split 'train', found besides: last_is_real-train.tfrecord-00001-of-00002",
    ),
    "a shard cut short": (
        lambda path: shard(path).write_bytes(shard(path).read_bytes()[:-7]), "truncated inside record 1 of 2, at byte",
    ),
    "an empty shard": (lambda path: shard(path).write_bytes(b""), "expected 2 records, found an empty file"),
    "a flipped bit": (flipped, "of-00001: a record does not match its checksum"),
    "one record too few": (replaced("dataset_info.json", '"2"', '"3"'), "expected 3 records, found 2"),
    "one record too many": (replaced("dataset_info.json", '"2"', '"1"'), "expected 1 records, found 2"),
    "a column that records lack": (
        edited(lambda whole, steps: steps["observation"]["featuresDict"]["features"].update(extra=steps["action"])),
        "episode '0': features.json declares 'observation/extra', expected in each of 6 steps, found in 0",
    ),
    "a feature that records lack": (
        edited(lambda whole, steps: whole.update(seed=steps["reward"])),
        "features.json declares 'seed', expected in every record, found one without it",
    ),
    "another shape": (
        edited(lambda whole, steps: steps["action"]["tensor"]["shape"].update(dimensions=["4"])),
        "'steps/action' is not what features.json declares: number of elements should be divisible by 4, found 6",
    ),
    "a description cut short": (
        lambda path: (path / "dataset_info.json").write_text("{"), "dataset_info.json: expected TFDS's description",
    ),
    "no features": (lambda path: (path / "features.json").unlink(), "features.json: expected TFDS's description"),
    "a folder of Hugging Face": (lambda path: (path / "state.json").write_text("{}"), "use --format arrow"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_damage_is_one_line(last, tmp_path, name):
    damage, message = DAMAGE[name]
    path = shutil.copytree(last, tmp_path / "set")
    damage(path)
    with pytest.raises(SourceError) as caught:
        read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    report = check_data(path, format="rlds")
    assert [problem.message for problem in report.tasks[0].problems] == [str(caught.value)]
    assert report.errors == 1


def test_an_imported_task_keeps_its_agents(tmp_path):
    arrays = {"observation": np.zeros((9, 2), np.float32), "action": np.linspace(-1, 1, 9), "reward": np.ones(9)}
    np.savez(tmp_path / "a.npz", **arrays, episode_ends=[3, 6, 9], who=np.array(["a", "a", "b"]))
    import_data(tmp_path / "a.npz", tmp_path / "d", "toy.a", format="npz", options=ControlOptions(agent="who"), **QUIET)
    import_data(tmp_path / "d/toy.a", tmp_path / "d", "toy.b", format="rlds", **QUIET)
    _, episodes = read(tmp_path / "d/toy.b")
    assert [episode.columns["agent"].tolist() for episode in episodes] == [[b"a"], [b"a"], [b"b"]]
    _, episodes = read(tmp_path / "d/toy.b", agent="episode_id")  # Any other value of an episode may name it.
    assert episodes[2].columns["episode_id"].tolist() == [b"2:a:2"]
