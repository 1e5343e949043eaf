"""Names what is in each picture of a folder.    python folder.py MODEL.onnx PICTURES HOST:PORT"""
import pathlib
import sys

import cleave

model, folder, edge = sys.argv[1:]
with cleave.Device(model, edge) as device:
    for path in sorted(pathlib.Path(folder).iterdir()):
        record = device.infer_pictures([path])
        scores = next(iter(record.outputs.values()))[0]
        print(path.name, scores.argmax(), record.where, f"{record.latency_us / 1000:.1f} ms")
