"""The programs of examples/python do what their first lines say."""

import subprocess
import sys

import pytest
from conftest import ROOT
from test_tools import ALEXNET, pictures  # noqa: F401


@pytest.fixture
def run(start_edge):
    edge = start_edge(ALEXNET)

    def run_example(name, *arguments):
        words = [str(edge.address if word == "EDGE" else word) for word in arguments]
        done = subprocess.run(
            [sys.executable, ROOT / "examples/python" / name, *words],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run_example


def test_folder(run, pictures):  # noqa: F811
    lines = run("folder.py", ALEXNET, pictures, "EDGE")
    assert [line.split()[0] for line in lines] == sorted(path.name for path in pictures.iterdir())


def test_streams(run):
    lines = run("streams.py", ALEXNET, "EDGE")
    assert len(lines) == 32
    assert {line.split(",")[0] for line in lines} == {f"stream {number}" for number in range(8)}


def test_edge_in_a_thread(run):
    lines = run("edge_in_a_thread.py", ALEXNET)
    assert lines[0].startswith("edge (1, 10) Timeline(")
    assert "'infer'" in lines[1]


def test_camera(run):
    lines = run("camera.py", ALEXNET, "EDGE")
    assert len(lines) == 20
