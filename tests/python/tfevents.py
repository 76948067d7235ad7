"""TensorBoard event files, for tests/io/tfevents_test.ts.

    python -m venv v && v/bin/pip install tensorboard==2.21.0
    v/bin/python tests/python/tfevents.py > tests/fixtures/tfevents.json     (what TensorBoard itself writes)
    v/bin/python tests/python/tfevents.py FOLDER                             (what it reads in a file of ours)
"""
import base64
import json
import math
import os
import struct
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

EVENTS = [
    (0.0, 0, {"train/loss": 0.0}),
    (1.5, 1, {"train/loss": 5.950643, "train/lr_img": 1e-4}),
    (300.0, 300, {"train/loss": -1e-30, "train/nan": math.nan, "train/inf": math.inf, "train/-inf": -math.inf}),
    (2.0**31, 2**31 + 7, {"eval/pearson_mean": 0.1, "eval/größe µm": 3.4e38, "x" * 200: 1.0}),
    (5e9, 2**53 - 1, {"eval/recall_at_10_i2g": 1 / 3}),
    (6e9, 2, {}),
]


def write(path):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
        for wall_time, step, scalars in EVENTS:
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
            event = Event(wall_time=wall_time, step=step, summary=Summary(value=values))
            writer.write(event.SerializeToString(deterministic=True))


def read(folder):
    accumulator = EventAccumulator(folder)
    accumulator.Reload()
    return {
        tag: [[event.step, event.wall_time, event.value] for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


if len(sys.argv) > 1:
    print(json.dumps(read(sys.argv[1]), ensure_ascii=False))
else:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "events.out.tfevents.0")
        write(path)
        data = open(path, "rb").read()
        # JSON has no NaN: values go as the bits of f32.
        bits = lambda value: struct.unpack("<I", struct.pack("<f", value))[0]
        print(
            json.dumps(
                {
                    "events": [[w, s, {tag: bits(value) for tag, value in v.items()}] for w, s, v in EVENTS],
                    "base64": base64.b64encode(data).decode(),
                },
                ensure_ascii=False,
                indent=1,
            )
        )
