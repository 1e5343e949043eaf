"""Serves a model in this process, and uses it from here.    python edge_in_a_thread.py MODEL.onnx"""
import sys

import numpy

import cleave

with cleave.Edge(sys.argv[1], listen="127.0.0.1:0") as edge:  # It has threads of its own.
    session = cleave.InferenceSession(sys.argv[1], edge=edge.address, policy="edge")
    image = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in image.shape]
    outputs = session.run(None, {image.name: numpy.zeros(shape, numpy.float32)})
    print(session.last_record.where, outputs[0].shape, session.last_record.timeline)
    print([event.kind for event in edge.events()])
