"""Runs eight streams at once on one device, by asyncio.    python streams.py MODEL.onnx HOST:PORT"""
import asyncio
import sys

import numpy

import cleave


async def stream(device, number):
    name, shape = device.profiled_inputs[0].name, device.profiled_inputs[0].shape
    for index in range(4):
        record = await device.ainfer({name: numpy.full(shape, number / 8, numpy.float32)})
        print(f"stream {number}, frame {index}: {record.where}")


async def main(model, edge):
    with cleave.Device(model, edge) as device:
        await asyncio.gather(*(stream(device, number) for number in range(8)))


asyncio.run(main(*sys.argv[1:]))
