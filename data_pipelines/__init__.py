"""From the world to token sequences: environments, experts, recording, tokenizers, tasks, mixtures.

The public names, imported when they are first used; every other module is private and may change.

Data on disk:
  record                  expert episodes, text and questions into a data directory
  RecordingConfig         options of a recording
  import_data             episodes of a simulator or robot from local disk, as one task
  import_episodes         episodes that a program makes, as one task
  import_vision_language  text, captions, picture questions or documents from local disk, as one task
  record_gymnasium        episodes of a policy in a gymnasium environment, for import_episodes
  ControlOptions          how a source of episodes is read

Streams:
  Stream                  the training batches, a function of seed, step and weights
  register                recorded tasks and their mixtures in SeqIO's registries
  GatoFeatureConverter    SeqIO's way from their rows to training examples

A world of your own:
  Environment             a task to act in
  Expert                  a demonstrator
  World                   its name, arguments and version, where it lies outside this package
  Suite                   a simulator and its tasks, for an entry point
  Task                    one of them: how it is made, recorded and filtered
  Source                  what a task's data is made from
  Bundle                  texts, captioned pictures or questions, of a task that has no world
  Captioned               a picture with its captions
  Question                a question about a picture, with its answer
  Noise                   pushes while a task is recorded
  Starts                  beginnings of further episodes
  TaskSpec                observations and the action of a task
  ItemSpec                one array of an observation, or the action
  Kind                    its modality

Settings:
  DataConfig              everything the data layer needs
  MixtureConfig           weights of tasks, and their row groups
  RowGroup                shape and budgets of the rows of a group
  StreamConfig            seeds, shards, shuffling, prompts
  TokenConfig             how modalities become tokens
  Vocabulary              id ranges of every modality

This package never imports jax (SeqIO and TFDS do so themselves); `gato_jax` builds on it.
"""

from typing import TYPE_CHECKING

from data_pipelines.startup.lazy_names import lazy_names
from data_pipelines.startup.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from data_pipelines.config import DataConfig, StreamConfig
    from data_pipelines.importing.control.import_task import import_data, import_episodes
    from data_pipelines.importing.control.options import ControlOptions
    from data_pipelines.importing.control.rollouts import record_gymnasium
    from data_pipelines.importing.vision_language.import_task import import_vision_language
    from data_pipelines.mixtures.config import MixtureConfig
    from data_pipelines.recording.config import RecordingConfig
    from data_pipelines.recording.recorder import record
    from data_pipelines.registration.register import register
    from data_pipelines.schema import RowGroup
    from data_pipelines.seqio_tasks.feature_converter import GatoFeatureConverter
    from data_pipelines.spec import ItemSpec, Kind, TaskSpec, World
    from data_pipelines.stream.stream import Stream
    from data_pipelines.suites.base.bundle import Bundle, Captioned, Question
    from data_pipelines.suites.base.environment import Environment
    from data_pipelines.suites.base.expert import Expert
    from data_pipelines.suites.base.suite import Noise, Source, Starts, Suite, Task
    from data_pipelines.tokenizers.layout import TokenConfig
    from data_pipelines.vocabulary import Vocabulary

__all__ = [
    "Bundle",
    "Captioned",
    "ControlOptions",
    "DataConfig",
    "Environment",
    "Expert",
    "GatoFeatureConverter",
    "ItemSpec",
    "Kind",
    "MixtureConfig",
    "Noise",
    "Question",
    "RecordingConfig",
    "RowGroup",
    "Source",
    "Starts",
    "Stream",
    "StreamConfig",
    "Suite",
    "Task",
    "TaskSpec",
    "TokenConfig",
    "Vocabulary",
    "World",
    "import_data",
    "import_episodes",
    "import_vision_language",
    "record",
    "record_gymnasium",
    "register",
]

if not TYPE_CHECKING:  # A type checker reads the imports above, and reports any other name.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Bundle": "suites.base.bundle",
            "Captioned": "suites.base.bundle",
            "ControlOptions": "importing.control.options",
            "DataConfig": "config",
            "Environment": "suites.base.environment",
            "Expert": "suites.base.expert",
            "GatoFeatureConverter": "seqio_tasks.feature_converter",
            "ItemSpec": "spec",
            "Kind": "spec",
            "MixtureConfig": "mixtures.config",
            "Noise": "suites.base.suite",
            "Question": "suites.base.bundle",
            "RecordingConfig": "recording.config",
            "RowGroup": "schema",
            "Source": "suites.base.suite",
            "Starts": "suites.base.suite",
            "Stream": "stream.stream",
            "StreamConfig": "config",
            "Suite": "suites.base.suite",
            "Task": "suites.base.suite",
            "TaskSpec": "spec",
            "TokenConfig": "tokenizers.layout",
            "Vocabulary": "vocabulary",
            "World": "spec",
            "import_data": "importing.control.import_task",
            "import_episodes": "importing.control.import_task",
            "import_vision_language": "importing.vision_language.import_task",
            "record": "recording.recorder",
            "record_gymnasium": "importing.control.rollouts",
            "register": "registration.register",
        },
    )

quiet_tensorflow()
