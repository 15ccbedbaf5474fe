"""Batches whose loss is not finite: written down; the run stops, or the step changes nothing."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gato_jax.config import MeshConfig, OnNan
from gato_jax.sharding import make_mesh
from gato_jax.training.logging.batch_digest import row_digests
from gato_jax.training.logging.not_finite import IN_A_ROW, NotFinite
from gato_jax.training.step.spec import place_rows, step_spec
from gato_jax.training.step.state import course, init_state
from gato_jax.training.step.step import make_step
from gato_jax.training.train import train


def test_a_skipped_step_changes_nothing_but_its_number(tiny):
    experiment = tiny.tiny_experiment(on_nan=OnNan.SKIP)
    spec, mesh = step_spec(experiment), make_mesh(MeshConfig())
    stream = tiny.SyntheticStream(experiment)
    with jax.set_mesh(mesh):
        step, state = make_step(spec, mesh), init_state(spec, mesh)
        place = lambda: {  # noqa: E731
            name: place_rows(mesh, group, batch, spec.rows[name])
            for (name, group), batch in zip(spec.groups.items(), next(stream).values())
        }
        state, metrics = step(state, place(), course(mesh, steps=6))
        assert bool(metrics["finite"])
        state["parameters"]["embedding"]["tokens"] = state["parameters"]["embedding"]["tokens"].at[5].set(jnp.nan)
        before = jax.tree.map(np.asarray, state)
        state, metrics = step(state, place(), course(mesh, steps=6))
        assert not bool(metrics["finite"])
        assert int(state.pop("step")) == int(before.pop("step")) + 1
        jax.tree.map(np.testing.assert_array_equal, state, before)


def broken(tiny, **options):
    experiment = tiny.tiny_experiment(steps=60, **options)
    optimizer = dataclasses.replace(experiment.optimizer, learning_rate=1e38, warmup_steps=0)
    return dataclasses.replace(experiment, optimizer=optimizer)


def test_what_the_batch_held_is_written_down(tiny, tmp_path):
    experiment = broken(tiny)
    with pytest.raises(FloatingPointError, match=r"step \d+: the loss is nan.*tasks that are not finite: a\.one.*json"):
        train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    (path,) = (tmp_path / "run" / "not_finite").iterdir()
    report = json.loads(path.read_text())
    stream = tiny.SyntheticStream(experiment)
    stream.step = report["step"]
    batch = next(stream)
    for name, rows in report["rows"].items():
        assert [row["digest"] for row in rows] == [digest.tobytes().hex() for digest in row_digests(batch[name])]
        names = experiment.data.mixture.task_names
        assert [row["task"] for row in rows] == [names[task] for task in batch[name]["task_id"]]
    assert not list((tmp_path / "run" / "checkpoints").glob("[0-9]*"))


def test_a_network_that_stays_broken_is_not_trained_on(tiny, tmp_path):
    with pytest.raises(FloatingPointError, match=f"{IN_A_ROW} batches in a row were skipped"):
        train(broken(tiny, on_nan=OnNan.SKIP), tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert len(list((tmp_path / "run" / "not_finite").iterdir())) == IN_A_ROW
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["skipped_steps"] == IN_A_ROW - 1


def test_one_task_is_blamed(tiny, tmp_path):
    metrics = {"finite": False, "loss": np.nan, "gradient_norm": 1.0, "task_loss_sum": [1.0, np.nan], "group_loss": {}}
    look = NotFinite(tmp_path, on_nan=OnNan.SKIP, tasks=("a.one", "a.two"))
    assert look.skipped(3, metrics, {})
    assert json.loads((tmp_path / "not_finite" / "step-3-process-0.json").read_text())["tasks_not_finite"] == ["a.two"]
