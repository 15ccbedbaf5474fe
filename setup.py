"""Packaging. Ranges live here; the constraints files hold exact sets, one a Python, and say what was run with them."""

import pathlib
import re
import sys

import setuptools

if not (3, 11) <= sys.version_info[:2] < (3, 14):
    # pip compares `python_requires` of a directory only after it has looked at all dependencies.
    sys.exit(f"gato-jax runs on Python 3.11, 3.12 and 3.13; this is Python {sys.version_info[0]}.{sys.version_info[1]}")

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (ROOT / "gato_jax" / "__init__.py").read_text()).group(1)
LINUX = 'sys_platform == "linux" and platform_machine == "x86_64"'
LANGUAGE = ["chatterbot-corpus>=1.3,<2", "scikit-learn>=1.6,<2"]
FORMATS = ["datasets>=3,<6", "zarr>=3.1,<4"]

setuptools.setup(
    name="gato-jax",
    version=VERSION,
    description="Pretraining Gato-style generalist agents in JAX: one transformer, one token stream.",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    # The bound makes pip name Python, not a missing wheel.
    python_requires=">=3.11,<3.14",
    packages=setuptools.find_packages(include=["gato_jax*", "data_pipelines*", "experiments*"]),
    include_package_data=True,
    package_data={
        "gato_jax": ["py.typed", "evaluation/report/published.json"],
        "data_pipelines": [
            "py.typed",
            "suites/costs.json",
            "suites/scores.json",
            "suites/trained/weights/*",
            "reports/data_page/*.js",
        ],
    },
    install_requires=[
        "jax>=0.10,<0.13",
        "flax>=0.12.8,<0.13",
        "optax>=0.2.8,<0.3",
        "orbax-checkpoint>=0.12.8,<0.13",
        "tensorflow>=2.21,<2.22",
        "tensorflow-text>=2.21,<2.22",
        "tensorflow-datasets>=4.9.10,<4.10",
        "seqio>=0.0.20,<0.0.21",
        # Only `gato record` imports it, where it can. 1.2 has a wheel for Python 3.11 alone; 1.3 needs glibc 2.38.
        f'envlogger>=1.2,<1.3; python_version < "3.12" and {LINUX}',
        f'envlogger>=1.3,<1.4; python_version >= "3.12" and {LINUX}',
        # It needs labmaze, which has no wheel past Python 3.12.
        'dm-control>=1.0.49,<1.0.50; python_version < "3.13"',
        "mujoco>=3.16.0,<3.17",
        "numpy>=2.1,<2.6",
        "safetensors>=0.5,<1",
        # 0.2.3 wants a newer protobuf at run time than TensorFlow 2.21 brings.
        "sentencepiece>=0.2.1,<0.2.3",
        # Carries the 32,000-piece SentencePiece model that the gato_* presets use.
        "mistral-common>=1.5,<2",
        "jaxtyping>=0.3,<0.4",
        "tyro>=1.0,<2",
        "rich>=13,<16",
        "pillow>=10,<13",
        "pyarrow>=17,<26",
        # TensorFlow brings it; Minari's episodes are HDF5 files.
        "h5py>=3.11,<3.15",
        "matplotlib>=3.9,<4",
        # Imported by the packages above at run time, but not declared by them.
        "tensorboard>=2.20,<3",
        "importlib_resources>=6",
        "packaging>=24",
        "google-crc32c>=1.5",
        "PyYAML>=6,<7",
        "scipy>=1.15,<2",
        "ml_dtypes>=0.5,<0.7",
        # `gato serve` and its client.
        "websockets>=14,<18",
        "msgpack>=1.0.5,<2",
    ],
    extras_require={
        "demo": ["metaworld>=3.0.0,<3.1", "minigrid>=3.0,<4", "gymnasium>=1.1,<2", "easy-vqa>=1.0,<2"],
        # Dialogues and pictures that `gato record` makes tasks from; other sources are packages of the system.
        "language": LANGUAGE,
        # Simulators without copyleft that pip alone installs.
        "worlds": [
            "gymnasium>=1.1,<2",
            "gymnasium-robotics>=1.4.2,<1.5",
            "miniworld>=2.1,<2.2",
            "pyglet>=1.5.27,<2",
        ],
        # GPL-2.0 licensed, so never installed unless asked for.
        "atari": ["ale-py>=0.11,<0.13"],
        # Its engine is in part GPL.
        "vizdoom": ["vizdoom>=1.3,<1.4"],
        # What procgen2 imports. It itself asks for an old NumPy: constraints-worlds-nodeps.txt installs it.
        "procgen": ["cffi>=1.17,<3", "cloudpickle>=3,<4", "filelock>=3.13,<5", "imageio>=2.34,<3"],
        "tpu": ["libtpu>=0.0.50,<0.1"],
        # For NVIDIA GPUs with a driver for CUDA 13; older ones take jax[cuda12].
        "cuda": ["jax[cuda13]"],
        # `gato cache` on many machines; the local writer needs nothing.
        "beam": ["apache-beam>=2.70,<3"],
        # Runtimes other than this package's own; exports are checked in them.
        "export": [
            "torch>=2.13,<2.14",
            "transformers>=5.24,<6",
            "onnx>=1.23,<2",
            "onnxscript>=0.7,<0.8",
            "onnxruntime>=1.32,<2",
        ],
        # Regressors beside the mixing laws, and jobs of SLURM.
        "studies": ["scikit-learn>=1.6,<2", "submitit>=1.5.3,<2"],
        # Sources that `gato import-data` reads through libraries of their own.
        "formats": FORMATS,
        # The documentation site (docs/site/build.py). Zensical follows MkDocs Material, whose support ends in 2027.
        "docs": ["zensical>=0.0.73,<0.2", "mkdocstrings>=1,<2", "mkdocstrings-python>=2,<3"],
        "test": [
            "pytest>=9,<10",
            "pytest-xdist>=3.8,<4",
            "hypothesis>=6.100,<7",
            "ruff>=0.9",
            "mypy>=1.14,<3",
            "apache-beam>=2.70,<3",
            "scikit-learn>=1.6,<2",
            "submitit>=1.5.3,<2",
            # Compiles for TPU slices on any machine, so that plans can be checked.
            "libtpu>=0.0.50,<0.1",
            *FORMATS,
            *LANGUAGE[:1],
            # GPL-2.0: only whoever runs the tests gets it with them.
            "ale-py>=0.11,<0.13",
            # Writes what the tests read.
            "minari>=0.5.4,<0.6",
        ],
    },
    entry_points={"console_scripts": ["gato=gato_jax.cli:main"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
