"""Which Python and JAX run what, as a Markdown table: `python -m benchmarks.pythons PYTHON ... [--tests ARGUMENT ...]`.

PYTHON is the interpreter of an environment with this package in it. Each one runs `pip check` and pytest, from this
directory, and says whether it can import EnvLogger. Skipped tests are printed with their reasons.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
COLUMNS = (
    "Python", "JAX", "Flax", "NumPy", "tests", "passed", "failed", "skipped", "seconds", "pip check", "EnvLogger"
)  # fmt: skip
FACTS = """
import importlib.metadata, json, platform
from data_pipelines.recording.rlds.envlogger_absent import why_absent
versions = [importlib.metadata.version(name) for name in ("jax", "flax", "numpy")]
envlogger = f"no: {why_absent()}" if why_absent() else importlib.metadata.version("envlogger")
print(json.dumps([platform.python_version(), *versions, envlogger]))
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def row(python: str, tests: list[str]) -> list[str]:
    """The line of one interpreter."""
    facts = run(python, "-c", FACTS)
    if facts.returncode:
        raise SystemExit(f"{python}: {facts.stderr}")
    *versions, envlogger = json.loads(facts.stdout.splitlines()[-1])
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        done = run(python, "-m", "pytest", "-n", "2", f"--junitxml={report}", *tests)
        if not report.exists():
            raise SystemExit(f"{python}: pytest ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    for case in suite.iter("testcase"):
        for kind in ("failure", "error", "skipped"):
            for outcome in case.findall(kind):
                print(f"{python}: {kind}: {case.get('name')}: {outcome.get('message')}", file=sys.stderr)
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skipped = int(suite.get("skipped", 0))
    passed = int(suite.get("tests", 0)) - failed - skipped
    seconds = f"{float(suite.get('time', 0)):.0f}"
    check = run(python, "-m", "pip", "check")
    clean = "clean" if not check.returncode else check.stdout.strip()
    return [*versions, f"`{' '.join(tests)}`", str(passed), str(failed), str(skipped), seconds, clean, envlogger]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="+", metavar="PYTHON")
    parser.add_argument("--tests", nargs="+", default=["@tests/quick.txt"], help="arguments of pytest")
    arguments = parser.parse_args()
    print("|", " | ".join(COLUMNS), "|")
    print("|---" * len(COLUMNS) + "|")
    for python in arguments.pythons:
        print("|", " | ".join(row(python, arguments.tests)), "|", flush=True)


if __name__ == "__main__":
    main()
