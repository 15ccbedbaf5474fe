"""The formats that control episodes can be imported from. A new one is a file here and an entry in `FORMATS`."""

from collections.abc import Mapping
from pathlib import Path

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.formats import Format, find_format
from data_pipelines.importing.common.rules import check_split
from data_pipelines.importing.control.episodes import ControlReader
from data_pipelines.importing.control.options import ControlOptions

_HERE = __name__.rpartition(".")[0]

FORMATS: Mapping[str, Format[ControlOptions, ControlReader]] = {
    "rlds": Format(f"{_HERE}.rlds:RldsDirectory", "prepared TFDS directory of RLDS episodes, of any observations"),
    "npz": Format(
        f"{_HERE}.npz:NpzFiles", "npz files: an episode each, or flat arrays with the ends of episodes (d4rl)"
    ),
    "hdf5": Format(
        f"{_HERE}.hdf5:open_hdf5",
        "Minari's main_data.hdf5, robomimic's demonstrations, d4rl's flat arrays, or a folder with a file per episode "
        "(ALOHA)",
    ),
    "lerobot": Format(
        f"{_HERE}.lerobot:LeRobotFolder", "LeRobot v2 or v3 folder; cameras stored as video are not decoded"
    ),
    "arrow": Format(f"{_HERE}.parquet:ArrowEpisodes", "folder of Hugging Face's save_to_disk, rows as for parquet"),
    "zarr": Format(f"{_HERE}.zarr_buffer:ZarrBuffer", "zarr folder or .zip in diffusion policy's layout"),
    "jat": Format(f"{_HERE}.parquet:JatEpisodes", "parquet files of the JAT data set, an episode in each row"),
    "parquet": Format(
        f"{_HERE}.parquet:ParquetEpisodes", "Hugging Face parquet files, a step or an episode in each row"
    ),
}


def open_source(source: str | Path, format: str, options: ControlOptions) -> ControlReader:
    """A reader of a source.

    Raises:
      ValueError: no such format.
      SourceError: the source is not in that layout, or lacks the split that is asked for.
    """
    source_format, path = find_format(format, FORMATS), Path(source)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    reader = source_format.open(path, options)
    check_split(str(path), options.split, reader.splits)
    return reader
