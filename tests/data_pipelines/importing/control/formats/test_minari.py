"""Minari 0.5 writes and we read: cameras, declared spaces and counts, its other storages."""

import io
import json
import warnings

import gymnasium
import h5py
import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.control import ControlOptions, SourceError, import_data, open_source
from data_pipelines.importing.control.conventions import chosen_layout, interpret

OBSERVATION = gymnasium.spaces.Dict(
    camera=gymnasium.spaces.Box(0, 255, (32, 48, 3), np.uint8),
    state=gymnasium.spaces.Box(-1, np.float32([1, 2]), (2,), np.float32),
    goal=gymnasium.spaces.Text(12),
    cell=gymnasium.spaces.Discrete(9),
)
ACTION = gymnasium.spaces.Box(np.float32([-2, -3]), np.float32([2, 3]), (2,), np.float32)
STEPS = (4, 5, 6)


def episodes(constant_frames=False, **more):
    from minari.data_collector import EpisodeBuffer

    rng = np.random.default_rng(0)
    for number, steps in enumerate(STEPS):
        frames = rng.integers(0, 256, (steps + 1, 32, 48, 3), dtype=np.uint8)
        ended = np.arange(steps) == steps - 1
        yield EpisodeBuffer(
            id=number,
            observations={
                # Equal frames become JPEG files of equal length, which Minari stores as [T, length] bytes.
                "camera": np.full_like(frames, 7) if constant_frames else frames,
                "state": rng.uniform(-1, 1, (steps + 1, 2)).astype(np.float32),
                "goal": [f"go {step}" + " on" * number for step in range(steps + 1)],
                "cell": rng.integers(0, 5, steps + 1),
            },
            actions=rng.uniform(-2, 2, (steps, 2)).astype(np.float32),
            rewards=list(range(steps)),
            terminations=list(ended & (number % 2 == 0)),
            truncations=list(ended & (number % 2 == 1)),
            **{"infos": {"speed": np.zeros(steps + 1)}, **more},
        )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(name, settings) to the folder and the data set that Minari wrote."""
    root = tmp_path_factory.mktemp("minari")

    def write(name, buffers=None, **settings):
        import minari

        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Minari asks for an author and the like.
            patch.setenv("MINARI_DATASETS_PATH", str(root))
            spaces = {"observation_space": OBSERVATION, "action_space": ACTION}
            dataset = minari.create_dataset_from_buffers(
                f"toy/{name}-v0", buffers or list(episodes()), **spaces | settings
            )
        return root / "toy" / f"{name}-v0", dataset

    return write


@pytest.fixture(scope="module")
def whole(written):
    return written("whole")


def read(path, **options):
    options = ControlOptions(**options)
    reader = open_source(path, "hdf5", options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    return reader, [interpret(raw, layout) for raw in reader.episodes(0, layout.columns)]


def test_what_minari_reads_is_what_we_read(whole):
    path, minari_reads = whole
    reader, our_episodes = read(path)
    assert len(reader) == len(STEPS)
    for theirs, ours in zip(minari_reads.iterate_episodes(), our_episodes, strict=True):
        np.testing.assert_array_equal(ours.action, theirs.actions)
        np.testing.assert_array_equal(ours.reward, theirs.rewards)
        assert ours.terminal == bool(theirs.terminations[-1])
        assert not ours.repeated
        frames = [np.asarray(Image.open(io.BytesIO(file))) for file in ours.observation["camera"]]
        np.testing.assert_array_equal(frames, theirs.observations["camera"])
        np.testing.assert_array_equal(ours.observation["state"], theirs.observations["state"])
        np.testing.assert_array_equal(ours.observation["cell"], theirs.observations["cell"])
        assert list(ours.observation["goal"]) == list(theirs.observations["goal"])


def test_it_is_imported_with_what_it_declares(whole, tmp_path):
    summary = import_data(whole[0], tmp_path, "toy.minari", format="hdf5", progress=lambda progress: None)
    assert summary.steps == sum(STEPS)
    assert summary.action == "2 in [-3, 3], the source's own"
    assert summary.observation["camera"] == "image [32, 48, 3]"
    assert summary.observation["cell"] == "discrete [] of 9 values"
    assert any("declares a range for each dimension of the action" in note for note in summary.notes)


@pytest.mark.parametrize("jpeg", [True, False])
def test_cameras_of_equal_frames(written, jpeg):
    path, _ = written(f"equal-{jpeg}", list(episodes(constant_frames=True)), jpeg_encoding=jpeg)
    _, our_episodes = read(path)
    for one in our_episodes:
        frames = one.observation["camera"]
        assert len(frames) == one.steps + 1
        decoded = [np.asarray(Image.open(io.BytesIO(file))) for file in frames] if jpeg else frames
        np.testing.assert_allclose(decoded, 7, atol=1)


def edited(path, change):
    about = path / "data" / "metadata.json"
    metadata = json.loads(about.read_text())
    change(metadata)
    about.write_text(json.dumps(metadata))


def box(**fields):
    return json.dumps({"type": "Box", "dtype": "float32", "shape": [2], "low": [-1, -1], "high": [1, 1], **fields})


LIES = {
    "episodes": (lambda about: about.update(total_episodes=4), "metadata.json declares 4 episodes, found 3"),
    "steps": (lambda about: about.update(total_steps=16), "metadata.json declares 16 steps, found 15"),
    "a shape": (
        lambda about: about.update(action_space=box(shape=[3])),
        r"metadata.json: declares shape \(3,\) of 'actions', found \(2,\)",
    ),
    "no number": (lambda about: about.update(total_steps="many"), "metadata.json: expected Minari's counts and spaces"),
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_what_is_declared_is_compared(written, lie):
    path, _ = written("lie-" + lie.replace(" ", "-"))
    change, message = LIES[lie]
    edited(path, change)
    with pytest.raises(SourceError, match=message):
        read(path)


def test_steps_of_an_episode_and_ranges_are_compared(written, tmp_path):
    path, _ = written("attributes")
    edited(path, lambda about: about.update(action_space=box()))
    with pytest.raises(RuntimeError, match=r"expected values in \[-1, 1\] \(the source's own\)"):
        import_data(path, tmp_path, "toy.minari", format="hdf5", progress=lambda progress: None)
    edited(path, lambda about: about.update(
        action_space=box(low=[-9, -9], high=[9, 9]),
        observation_space=json.dumps({"type": "Dict", "subspaces": {"state": json.loads(box(low=[-0.1] * 2))}}),
    ))  # fmt: skip
    summary = import_data(path, tmp_path, "toy.minari", format="hdf5", progress=lambda progress: None)
    assert any("'state': the source declares values in [-0.1, 1], found [-0." in note for note in summary.notes), (
        summary.notes
    )
    with h5py.File(path / "data" / "main_data.hdf5", "r+") as file:
        file["episode_1"].attrs["total_steps"] = 7
    with pytest.raises(SourceError, match="episode_1 declares 7 steps, as 'actions' has them, found 5"):
        read(path)


@pytest.mark.parametrize("storage", ["parquet", "arrow"])
def test_its_other_storages_are_refused_with_the_way_out(written, tmp_path, storage):
    """Their last row of an episode is padding, which would be taken for a step."""
    from minari.dataset.minari_storage import MinariStorage

    path, _ = written(storage, list(episodes(infos=None)), data_format=storage)
    for format in ("hdf5", "parquet", "arrow"):
        with pytest.raises(SourceError, match=rf"Minari stored it as {storage}.*update_from_storage"):
            open_source(path, format, ControlOptions())
    old = MinariStorage.read(path / "data")
    new = MinariStorage.new(tmp_path / "new", old.observation_space, old.action_space, data_format="hdf5")
    new.update_from_storage(old)
    assert [one.steps for one in read(tmp_path / "new")[1]] == list(STEPS)
