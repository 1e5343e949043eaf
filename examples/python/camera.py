"""Runs a model on the frames of a camera.    python camera.py MODEL.onnx HOST:PORT

The frames are made here, and a real camera takes their place: cv2.VideoCapture(0).read()[1]."""
import sys

import numpy

import cleave


def frames(shape, count=20):
    for index in range(count):
        yield numpy.full(shape, index / count, numpy.float32)


session = cleave.InferenceSession(sys.argv[1], edge=sys.argv[2], deadline_us=100_000)
image = session.device.profiled_inputs[0]
for frame in frames(image.shape):
    scores = session.run(None, {image.name: frame})[0]
    record = session.last_record
    print(scores.argmax(), record.where, record.plan.cut, "late" if record.deadline_missed else "in time")
