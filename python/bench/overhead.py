"""Measures what the package costs: its import, and a call against the C++ library.

python overhead.py [MODEL.onnx]

The overhead of a call is the time of InferenceSession.run less the time that the C++ library reports for the same run
(last_record.latency_us): the median over many runs of a model that does next to nothing. It is printed beside the goals.
"""

import statistics
import subprocess
import sys
import time

import numpy

import cleave

RUNS = 5000
IMPORTS = 10
GOAL_CALL_US = 50
GOAL_IMPORT_S = 0.3

IMPORT = "import time, numpy; start = time.perf_counter(); import cleave; print(time.perf_counter() - start)"


def import_seconds():
    """The median time of an import in a process that has numpy already."""
    times = [float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(IMPORTS)]
    return statistics.median(times)


def overhead_us(model):
    """The median overhead of a call, in microseconds."""
    session = cleave.InferenceSession(model)
    feed = {}
    for arg in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in arg.shape]
        feed[arg.name] = numpy.zeros(shape, numpy.float32)
    overheads = []
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        session.run(None, feed)
        overheads.append((time.perf_counter_ns() - start) / 1000 - session.last_record.latency_us)
    return statistics.median(overheads)


def main(model="tests/install/relu.onnx"):
    print(f"import: {import_seconds():.3f} s (goal: {GOAL_IMPORT_S} s)")
    print(f"overhead of a call: {overhead_us(model):.1f} us (goal: {GOAL_CALL_US} us)")


main(*sys.argv[1:])
