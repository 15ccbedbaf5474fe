"""Writes robomimic.hdf5 beside this file; the masks by robomimic's own function, which wants PyTorch.

    python make_robomimic.py ROBOMIMIC      # the unpacked source of robomimic 0.3.0

The layout of data/ is that of robomimic's `playback_dataset` and `dataset_states_to_obs`: as many observations as
actions, `next_obs` beside `obs`, `num_samples` of each demo and `total` of all.
"""

import ast
import json
import pathlib
import sys

import h5py
import numpy as np

STEPS = (4, 6, 5, 3, 7)
FILE = pathlib.Path(__file__).with_name("robomimic.hdf5")


def filter_key():
    """`create_hdf5_filter_key` out of robomimic/utils/file_utils.py, whose other imports want a simulator."""
    source = pathlib.Path(sys.argv[1], "robomimic/utils/file_utils.py").read_text()
    chosen = [node for node in ast.parse(source).body if getattr(node, "name", "") == "create_hdf5_filter_key"]
    names = {"h5py": h5py, "np": np}
    exec(compile(ast.Module(chosen, []), "file_utils.py", "exec"), names)
    return names["create_hdf5_filter_key"]


def write_demo(group, number, steps):
    rng = np.random.default_rng(number)
    chain = {"robot0_eef_pos": rng.normal(size=(steps + 1, 3)), "object": rng.normal(size=(steps + 1, 10))}
    for name, values in chain.items():
        group[f"obs/{name}"], group[f"next_obs/{name}"] = values[:-1], values[1:]
    group["actions"] = rng.uniform(-1, 1, (steps, 7))
    group["states"] = rng.normal(size=(steps, 4))
    group["rewards"], group["dones"] = np.zeros(steps), (np.arange(steps) == steps - 1).astype(np.int64)
    group.attrs["num_samples"] = steps
    group.attrs["model_file"] = "<mujoco/>"


if __name__ == "__main__":
    with h5py.File(FILE, "w", libver="latest") as file:
        data = file.create_group("data")
        for number, steps in enumerate(STEPS):
            write_demo(data.create_group(f"demo_{number}"), number, steps)
        data.attrs["total"] = sum(STEPS)
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {}})
    create = filter_key()
    demos = [f"demo_{number}" for number in range(len(STEPS))]
    create(str(FILE), demos[:3], "train")
    create(str(FILE), demos[3:], "valid")
    create(str(FILE), demos[1:2], "20_percent")
