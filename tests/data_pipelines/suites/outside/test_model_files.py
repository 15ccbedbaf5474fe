"""Trained policies of other libraries demonstrate, where these are installed; where not, one error says what to do."""

import importlib.util

import gymnasium
import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.spec import World
from data_pipelines.suites.outside.experts import open_expert
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.suites.outside.opening import open_world

HAVE = {name: importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime", "stable_baselines3")}


def cartpole():
    return open_world(World("gymnasium:CartPole-v1"), allow=("gymnasium",))


@pytest.mark.parametrize(("name", "library"), [("a.onnx", "onnxruntime"), ("a.zip", "stable_baselines3")])
def test_a_file_that_cannot_be_used(tmp_path, name, library):
    (tmp_path / name).write_bytes(b"nothing")
    message = (
        r"a\.(onnx|zip)'" if HAVE[library] else "which is not installed: pip install (onnxruntime|stable-baselines3)"
    )
    with pytest.raises(WorldError, match=message):
        open_expert(str(tmp_path / name), cartpole())


@pytest.mark.skipif(
    not (HAVE["onnx"] and HAVE["onnxruntime"]), reason="onnx and onnxruntime are not installed (export)"
)
def test_an_onnx_model_chooses_the_greatest(tmp_path):
    from onnx import TensorProto, helper, save

    # Logits of left and right, from position, velocity, angle and turning.
    weights = np.array([[-0.1, 0.1], [-0.3, 0.3], [-3, 3], [-1, 1]], np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["seen", "weights"], ["logits"])],
        "policy",
        [helper.make_tensor_value_info("seen", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel())],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "policy.onnx")
    env = cartpole()
    assert run_episode(env, open_expert(str(tmp_path / "policy.onnx"), env), 0).episode_return == 500.0
    pendulum = open_world(World("gymnasium:Pendulum-v1"), allow=("gymnasium",))
    with pytest.raises(Exception, match="Got: 3 Expected: 4"):
        run_episode(pendulum, open_expert(str(tmp_path / "policy.onnx"), pendulum), 0, limit=1)


@pytest.mark.skipif(not HAVE["stable_baselines3"], reason="stable-baselines3 is not installed")
@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "DQN", "SAC", "TD3", "DDPG"])
def test_a_policy_of_stable_baselines(tmp_path, algorithm):
    import stable_baselines3

    name = "CartPole-v1" if algorithm in ("PPO", "A2C", "DQN") else "Pendulum-v1"
    model = getattr(stable_baselines3, algorithm)("MlpPolicy", gymnasium.make(name), device="cpu")
    model.save(tmp_path / "model.zip")
    env = open_world(World(f"gymnasium:{name}"), allow=("gymnasium",))
    episode = run_episode(env, open_expert(str(tmp_path / "model.zip"), env), 0, limit=20)
    first = model.predict(episode.timesteps[0].observation["observation"], deterministic=True)[0]
    np.testing.assert_allclose(episode.labels[0], first, rtol=1e-5)
    other = open_world(World("gymnasium:Acrobot-v1"), allow=("gymnasium",))
    with pytest.raises(WorldError, match="expected a policy for observations"):
        open_expert(str(tmp_path / "model.zip"), other)
