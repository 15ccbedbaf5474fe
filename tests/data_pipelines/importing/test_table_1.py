"""Every row of Table 1 from files in a public layout to the rows of one batch of the mixture `gato`."""

import dataclasses
import importlib.util
import pathlib

import numpy as np
import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.importing.control import Channels, ControlOptions, import_data, import_episodes
from data_pipelines.importing.vision_language import import_vision_language
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.mixtures.named import resolve
from data_pipelines.mixtures.table1 import ROWS
from data_pipelines.schema import RowGroup
from data_pipelines.stream.resolve_mixture import resolve as resolve_config
from data_pipelines.stream.stream import Stream
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import TokenType

HERE = pathlib.Path(__file__).parent


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


layouts = load(HERE / "control" / "layouts_on_disk.py")
formats = load(HERE / "control" / "formats" / "test_formats.py")
recipes = load(HERE / "control" / "formats" / "test_recipes.py")
sources = load(HERE / "vision_language" / "sources_on_disk.py")

BUILDERS = {
    "DM Lab": ("rlu_dmlab_seekavoid_arena01", "dmlab.seekavoid_arena_01"),
    "ALE Atari": ("rlu_atari", "atari.pong"),
    "DM Control Suite": ("rlu_control_suite", "dm_control.cheetah_run"),
    "DM Control Suite Random Small": ("rlu_rwrl", "dm_control_random_small.walker_walk_easy"),
    "RGB Stacking real robot": ("jaco_play", "rgb_stacking_real.jaco_play"),
    "Modular RL": ("d4rl_mujoco_hopper", "modular_rl.d4rl_hopper_expert"),
}
"""Row -> a TFDS builder that can stand for it, and a name of ours."""

LAYOUTS = {
    "BabyAI": ("jat", "babyai.go_to_local"),
    "Meta-World": ("minari", "metaworld.door_close"),
    "Procgen Benchmark": ("parquet steps", "procgen.coinrun"),
    "RGB Stacking simulator": ("lerobot3", "rgb_stacking_sim.rgb_stacking"),
    "DM Manipulation Playground": ("flat ends", "manipulation.box"),
    "Playroom": ("npz", "playroom.instructions"),
}
"""Row -> a layout of `formats.written`, and a name of ours."""

PROGRAMS = {
    "Sokoban": ("sokoban.boxoban", False),
    "DM Control Suite Pixels": ("dm_control_pixels.walker_walk", True),
    "DM Control Suite Random Large": ("dm_control_random_large.walker_walk", False),
}
"""Row -> a name of ours, and whether it sees pictures: episodes that a program makes."""

HELD_OUT = ("dm_control.cartpole_swingup", "atari.boxing")


def quiet(progress):
    """Nothing to show."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory with a task for each of the 24 rows; two tasks are held out by the paper."""
    root = tmp_path_factory.mktemp("table_1")
    data = root / "data"
    for builder, task in (*BUILDERS.values(), ("rlu_control_suite", HELD_OUT[0]), ("rlu_atari", HELD_OUT[1])):
        recipes.write(root / task, builder)
        import_data(root / task, data, task, format="rlds", progress=quiet)
    world = layouts.make_episodes(4)
    for form, task in LAYOUTS.values():
        source, name, options = formats.written(layouts, world, form, root / task)
        import_data(source, data, task, format=name, options=options, progress=quiet)
    layouts.write_jat(world, root / "stacked", stacked=True)
    options = ControlOptions(observation={"screen": "image_observations"}, channels=Channels.NEWEST)
    import_data(root / "stacked", data, "atari_extended.adventure", format="jat", options=options, progress=quiet)
    for task, pictures in PROGRAMS.values():
        import_episodes(made_up(pictures), data, task, progress=quiet)
    (root / "texts").mkdir()
    (root / "texts" / "a.txt").write_text("A sentence that is repeated. " * 400)
    sources.write_documents(root / "web.parquet", [["before", sources.pixels(n, 16, 32), "after"] for n in range(6)])
    sources.write_coco(root / "coco", [(32, 48)] * 6)
    for prefix, single in (("v2_", True), ("", False)):
        sources.write_vqa(root / f"vqa{prefix}", 6, prefix=prefix, single_answer=single)
    for source, task, form in (
        ("texts", "text.mine", "text"),
        ("web.parquet", "documents.mine", "obelics"),
        *(("coco", f"captions.{name}", "coco_captions") for name in ("align", "coco", "conceptual", "ltip")),
        ("vqa", "vqa.ok_vqa", "ok_vqa"),
        ("vqav2_", "vqa.vqa_v2", "vqa_v2"),
    ):
        import_vision_language(root / source, data, task, format=form, validation=0.0, progress=quiet)
    return data


def made_up(pictures):
    """Episodes of a program."""
    for number in range(4):
        values = np.full((6, 32, 32, 3), number, np.uint8) if pictures else np.full((6, 4), number, np.float32)
        yield {"observation": {"seen": values}, "action": np.zeros((5, 2), np.float32), "reward": np.ones(5)}


@pytest.mark.slow
def test_every_row_streams(data):
    resolved = resolve("gato", sorted(path.name for path in data.iterdir() if path.is_dir()))
    assert resolved.absent == {}, "nothing is renormalised"
    total = sum(row.weight for row in ROWS)
    shares = {resolved.origin[task]: share for task, share in resolved.shares.items()}
    assert shares == pytest.approx({row.name: row.weight / total for row in ROWS})
    assert not {*HELD_OUT} & set(resolved.shares)
    assert all((data / task).is_dir() for task in HELD_OUT)
    group = RowGroup(("*",), window_length=160, patches=160)
    tokens = TokenConfig(text_model="package:mistral_common/data/tokenizer.model.v1")
    named = MixtureConfig({}, {"all": group}, 192, named="gato")
    config = resolve_config(DataConfig(str(data), tokens, named, StreamConfig(virtual_shards=1, shuffle_buffer=4)))
    assert config.mixture.weights == pytest.approx(resolved.shares)
    # Equal weights, so that few rows hold all tasks.
    equal = dataclasses.replace(config.mixture, weights=dict.fromkeys(resolved.shares, 1.0))
    stream = Stream(dataclasses.replace(config, mixture=equal))
    batch = next(stream)["all"]
    stream.close()
    for number, task in enumerate(stream.task_names):
        rows = {name: values[batch["task_id"] == number] for name, values in batch.items()}
        assert len(rows["tokens"]), task
        assert rows["loss_mask"].sum(axis=1).min() > 0, task
        is_control = task.partition(".")[0] not in ("text", "documents", "captions", "vqa")
        assert (rows["token_type"] == TokenType.SEPARATOR).any() == is_control, task
