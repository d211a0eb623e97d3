#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An epoch of examples/train_fashion_mnist beside PyTorch's on the same network, data and optimiser.

usage: bench_training.py PROGRAM [--threads N] [--turns N] [--batches N]

The two take turns. PyTorch trains on as many batches as asked for, and its epoch is reckoned from them; its
pictures are not mirrored, which ours are. Needs Debian's python3-torch and dataset-fashion-mnist.
"""
import argparse
import gzip
import re
import statistics
import subprocess
import time

import numpy
import torch
from torch import nn

FOLDER = "/usr/share/datasets/fashion-mnist/"
BATCH, BATCHES = 100, 600


def read_data():
    pixels = numpy.frombuffer(gzip.open(FOLDER + "train-images-idx3-ubyte.gz").read()[16:], numpy.uint8)
    labels = numpy.frombuffer(gzip.open(FOLDER + "train-labels-idx1-ubyte.gz").read()[8:], numpy.uint8)
    pictures = (pixels.reshape(-1, 1, 28, 28).astype(numpy.float32) / 255 - 0.2860) / 0.3530
    return torch.from_numpy(pictures.astype(numpy.float32)), torch.from_numpy(labels.astype(numpy.int64))


def make_network():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))


def torch_epoch(network, optimiser, pictures, labels, batches):
    loss_of = nn.CrossEntropyLoss()
    order = torch.randperm(len(labels))
    start = time.monotonic()
    for b in range(batches):
        chosen = order[b * BATCH:(b + 1) * BATCH]
        optimiser.zero_grad()
        loss_of(network(pictures[chosen]), labels[chosen]).backward()
        optimiser.step()
    return (time.monotonic() - start) * BATCHES / batches


def our_epoch(program, threads):
    told = subprocess.run([program, "--epochs", "1", "--threads", str(threads)], check=True, capture_output=True,
                          text=True).stdout
    return float(re.search(r"^epoch 1: ([0-9.]+) s", told, re.MULTILINE).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batches", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pictures, labels = read_data()
    network = make_network()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    torch_epoch(network, optimiser, pictures, labels, 2)
    ours, theirs = [], []
    for _ in range(options.turns):
        ours.append(our_epoch(options.program, options.threads))
        theirs.append(torch_epoch(network, optimiser, pictures, labels, options.batches))
        print(f"rfield {ours[-1]:7.2f} s   torch {torch.__version__} {theirs[-1]:7.2f} s", flush=True)
    print(f"ratio of medians, {options.threads} threads: {statistics.median(ours) / statistics.median(theirs):.3f}")


main()
