"""Runs one model with plain ONNX Runtime, in a process of its own.

Usage: python -m corpus.reference MODEL FILE FOLDER. Writes each input as FOLDER/in/NUMBER.npy and
each output as FOLDER/out/NUMBER.npy, and prints one JSON object that says what they are. FILE is
the model's name in the corpus (PACKAGE/NAME.onnx), by which hints are found.
"""
import json
import pathlib
import sys

import numpy as np
import onnxruntime

from corpus.inputs import NoInputs, free_dimensions, make_inputs


def one_line(error, path):
    """Returns the error's text without the folder in which the corpus lies on this machine."""
    return " ".join(str(error).replace(f"{path.parent.parent}/", "").split())[:400]


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def save(arrays, folder):
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for number, (name, array) in enumerate(arrays.items()):
        entry = {"name": name}
        if isinstance(array, np.ndarray):
            array = array.astype(np.str_) if array.dtype == object else array
            np.save(folder / f"{number}.npy", array)
            entry.update(npy=str(folder / f"{number}.npy"), shape=list(array.shape),
                         dtype=str(array.dtype))
        else:
            entry.update(npy=None, shape=None, dtype=type(array).__name__)
        listed.append(entry)
    return listed


def same(first, second):
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        floating = np.issubdtype(first.dtype, np.floating)
        return first.shape == second.shape and np.array_equal(first, second, equal_nan=floating)
    return str(first) == str(second)


def run(path, file, folder):
    try:
        session = open_session(path)
    except Exception as error:  # ONNX Runtime raises many kinds.
        return {"error": one_line(error, path), "stage": "load"}
    specs = session.get_inputs()
    free = {spec.name for spec in specs if free_dimensions(spec)}
    beyond = [spec.name for spec in specs if any(place > 0 for place in free_dimensions(spec))]
    result = {"free": sorted(free), "free_beyond_batch": beyond,
              "declared": [{"name": spec.name, "type": spec.type, "shape": spec.shape}
                           for spec in specs]}
    try:
        feeds = make_inputs(specs, path, file)
    except NoInputs as error:
        return {**result, "error": str(error), "stage": "inputs"}
    result["inputs"] = save(feeds, folder / "in")
    names = [output.name for output in session.get_outputs()]
    try:
        first = session.run(names, feeds)
        second = session.run(names, feeds)
    except Exception as error:
        return {**result, "error": one_line(error, path), "stage": "run"}
    outputs = {name: np.asarray(value) if isinstance(value, np.generic) else value
               for name, value in zip(names, first)}
    result["outputs"] = save(outputs, folder / "out")
    result["repeatable"] = all(same(one, two) for one, two in zip(first, second))
    return result


if __name__ == "__main__":
    print(json.dumps(run(pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]))))
