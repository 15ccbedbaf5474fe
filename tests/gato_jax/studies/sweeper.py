"""A worker of a sweep over synthetic rows: `python sweeper.py DIRECTORY TINY`, where TINY is the path of tiny.py."""

import importlib.util
import sys
from pathlib import Path


def main():
    spec = importlib.util.spec_from_file_location("tiny", sys.argv[2])
    tiny = importlib.util.module_from_spec(spec)
    sys.modules["tiny"] = tiny
    spec.loader.exec_module(tiny)
    from gato_jax.studies.workers.worker import work

    work(Path(sys.argv[1]), open_stream=lambda e, host, hosts: tiny.SyntheticStream(e, host, hosts, delay=0.05))


if __name__ == "__main__":
    main()
