"""Writes the LeRobot folders beside this file, with LeRobot itself, which wants PyTorch and so is in no extra of ours.

    python make_lerobot.py FOLDER       # lerobot 0.3.3 writes version 2.1, lerobot 0.4.4 version 3.0

LeRobot imports torchvision to read videos and to augment, and accelerate to train; for writing, empty modules of those
names are enough.
"""

import shutil
import sys
import types

import datasets  # noqa: F401, looks for the real torchvision when it is imported
import numpy as np

for name in (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.v2",
    "torchvision.transforms.v2.functional",
):
    sys.modules[name] = types.ModuleType(name)
sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
sys.modules["torchvision.transforms"].v2 = sys.modules["torchvision.transforms.v2"]
sys.modules["torchvision.transforms.v2"].functional = sys.modules["torchvision.transforms.v2.functional"]
sys.modules["torchvision.transforms.v2"].Transform = object
sys.modules["torchvision.transforms"].ToTensor = lambda: (
    lambda image: __import__("torch").from_numpy(np.asarray(image).transpose(2, 0, 1) / np.float32(255))
)

sys.modules["accelerate"] = types.ModuleType("accelerate")
sys.modules["accelerate"].Accelerator = object

from lerobot.datasets.lerobot_dataset import CODEBASE_VERSION, LeRobotDataset  # noqa: E402

FEATURES = {
    "observation.state": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
    "observation.images.top": {"dtype": "image", "shape": (16, 24, 3), "names": ["height", "width", "channels"]},
    "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
    "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
    "next.done": {"dtype": "bool", "shape": (1,), "names": None},
}
STEPS = (4, 6, 5)


def frames(episode):
    """Frames of an episode, by the number alone."""
    rng = np.random.default_rng(episode)
    for step in range(STEPS[episode]):
        yield {
            "observation.state": rng.normal(size=3).astype(np.float32),
            "observation.images.top": np.full((16, 24, 3), 10 * step + episode, np.uint8),
            "action": rng.uniform(-1, 1, 2).astype(np.float32),
            "next.reward": np.array([step], np.float32),
            "next.done": np.array([step == STEPS[episode] - 1]),
        }


if __name__ == "__main__":
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    dataset = LeRobotDataset.create("toy/world", fps=10, features=FEATURES, root=sys.argv[1], use_videos=False)
    for episode in range(len(STEPS)):
        for frame in frames(episode):
            if CODEBASE_VERSION == "v2.1":
                dataset.add_frame(frame, task=f"go to {episode % 2}")
            else:
                dataset.add_frame({**frame, "task": f"go to {episode % 2}"})
        dataset.save_episode()
    if hasattr(dataset, "finalize"):
        dataset.finalize()
    shutil.rmtree(f"{sys.argv[1]}/images", ignore_errors=True)
