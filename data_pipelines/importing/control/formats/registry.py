"""The formats that control episodes can be imported from."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from data_pipelines.importing.control.episodes import ControlReader
from data_pipelines.importing.control.formats.hdf5 import Hdf5File
from data_pipelines.importing.control.formats.lerobot import LeRobotFolder
from data_pipelines.importing.control.formats.npz import NpzFiles
from data_pipelines.importing.control.formats.parquet import JatEpisodes, ParquetEpisodes
from data_pipelines.importing.control.options import ControlOptions


@dataclasses.dataclass(frozen=True)
class Format:
    """One layout of a source.

    Args:
      open: (source, options) to a reader; raises `SourceError` when the source is not in this layout.
      description: what the source is, in a few words.
    """

    open: Callable[[Path, ControlOptions], ControlReader]
    description: str


def _rlds(source: Path, options: ControlOptions) -> ControlReader:
    # TensorFlow is needed to read these, and only these.
    from data_pipelines.importing.control.formats.rlds import RldsDirectory

    return RldsDirectory(source, options)


FORMATS: Mapping[str, Format] = {
    "rlds": Format(_rlds, "prepared TFDS directory of RLDS episodes, of any observations"),
    "npz": Format(NpzFiles, "npz files: an episode each, or flat arrays with the ends of episodes (d4rl)"),
    "hdf5": Format(Hdf5File, "Minari's main_data.hdf5, robomimic's demonstrations, or d4rl's flat arrays"),
    "lerobot": Format(LeRobotFolder, "LeRobot v2 or v3 folder; cameras stored as video are not decoded"),
    "jat": Format(JatEpisodes, "parquet files of the JAT data set, an episode in each row"),
    "parquet": Format(ParquetEpisodes, "Hugging Face parquet files, a step or an episode in each row"),
}
