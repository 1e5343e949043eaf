#!/usr/bin/env python3
"""Makes average_precision_cases.json: random boxes and what pycocotools says of them.

Usage: python3 tests/detect/average_precision_cases.py >tests/detect/average_precision_cases.json
It needs pycocotools and NumPy from PyPI; the file says which version made it.
"""

import contextlib
import importlib.metadata
import io
import json
import sys

import numpy
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def random_box(random):
  width, height = (int(side) for side in random.integers(4, 60, 2))
  return [int(random.integers(0, 100 - width // 2)), int(random.integers(0, 100 - height // 2)), width, height]


def make_case(seed, pictures, classes, crowds, ties):
  random = numpy.random.default_rng(seed)
  case = {"pictures": []}
  for _ in range(pictures):
    truth, found = [], []
    for _ in range(int(random.integers(0, 7))):
      box = random_box(random)
      label = int(random.integers(0, classes))
      truth.append({"box": box, "class": label, "crowd": int(random.random() < crowds)})
      for _ in range(int(random.integers(0, 3))):
        moved = [int(value + random.integers(-3, 4)) for value in box]
        moved[2:] = [max(1, side) for side in moved[2:]]
        wrong = random.random() < 0.1
        found.append({"box": moved, "class": int(random.integers(0, classes)) if wrong else label})
    for _ in range(int(random.integers(0, 4))):
      found.append({"box": random_box(random), "class": int(random.integers(0, classes))})
    for each in found:
      score = float(random.random())
      each["score"] = round(score, 1) if ties else score
    case["pictures"].append({"truth": truth, "found": found})
  return case


def judge(case):
  """Returns pycocotools' average precision at 0.5:0.95 and at 0.5."""
  images, annotations, results, categories = [], [], [], set()
  for number, picture in enumerate(case["pictures"], 1):
    images.append({"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 100})
    for each in picture["truth"]:
      categories.add(each["class"])
      annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": each["class"] + 1,
                          "bbox": each["box"], "area": each["box"][2] * each["box"][3], "iscrowd": each["crowd"]})
    for each in picture["found"]:
      categories.add(each["class"])
      results.append({"image_id": number, "category_id": each["class"] + 1, "bbox": each["box"],
                      "score": each["score"]})
  truth = COCO()
  truth.dataset = {"info": {}, "images": images, "annotations": annotations,
                   "categories": [{"id": each + 1, "name": str(each)} for each in sorted(categories)]}
  truth.createIndex()
  evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
  evaluation.evaluate()
  evaluation.accumulate()
  evaluation.summarize()
  return float(evaluation.stats[0]), float(evaluation.stats[1])


def main():
  cases = [make_case(1, 5, 1, 0, False), make_case(2, 20, 3, 0, False), make_case(3, 20, 3, 0.3, False),
           make_case(4, 30, 8, 0.1, True), make_case(5, 60, 2, 0.05, False)]
  # More detections of one picture and class than count.
  crowded = make_case(6, 3, 1, 0, False)
  random = numpy.random.default_rng(7)
  for _ in range(150):
    crowded["pictures"][0]["found"].append({"box": random_box(random), "class": 0, "score": float(random.random())})
  cases.append(crowded)
  for case in cases:
    with contextlib.redirect_stdout(io.StringIO()):
      case["at_50_to_95"], case["at_50"] = judge(case)
  print(json.dumps({"pycocotools": importlib.metadata.version("pycocotools"), "cases": cases},
                   separators=(",", ":")), file=sys.stdout)


if __name__ == "__main__":
  main()
