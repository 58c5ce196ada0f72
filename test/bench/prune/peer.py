"""Torch-Pruning on the Fashion-MNIST teacher, and recovery in PyTorch as the product does it: peer.py JOB, a JSON object.

weights: .npz of the teacher's initializers (conv1.weight ... fc2.bias; dense layers as [in, out]); images: .npy [N, 1, 28,
28]; logits: .npy, written where it is not there; test: .npz with images and labels; removed: share of the multiplications
to take away; scope: global or local; round: channels are kept in multiples of it, 0 for any; order: .npy of the samples
in turn; to: .npz that is written; beside that steps, batch, rate, warmUp, weightDecay, clipNorm, temperature, threads.
recovery: "teacher" (its softened outputs; usual), "labels" (classes: .npy of them; all else alike) or "own" (labels, with
the optimizer of reproduce/main.py of Torch-Pruning: SGD 0.01, momentum 0.9, decay 5e-4, a tenth of the rate from 60 %
of the steps on and from 80 %). For several recoveries of one pruned model, `courses` lists what they differ by: steps,
warmUp, to. Prints a JSON object: accuracies in per cent, sizes, seconds.
"""
import copy
import json
import math
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy
import torch
import torch_pruning as pruning
from torch import nn
from torch.nn import functional as f

side = 28
most = 0.9
own_rate = 0.01


class Net(nn.Module):
    """Convolutions, each pooled to half its size, and two dense layers; the softmax is left to the losses."""

    def __init__(self, weights):
        super().__init__()
        names = sorted({name.partition(".")[0] for name in weights if name.startswith("conv")})
        self.convs = nn.ModuleList()
        for name in names:
            weight = weights[f"{name}.weight"]
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=weight.shape[2] // 2)
            conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(weights[f"{name}.bias"])
            self.convs.append(conv)
        for name in ("fc1", "fc2"):
            weight = weights[f"{name}.weight"].T.contiguous()
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(weights[f"{name}.bias"])
            setattr(self, name, layer)

    def forward(self, x):
        for conv in self.convs:
            x = f.max_pool2d(f.relu(conv(x)), 2)
        return self.fc2(f.relu(self.fc1(torch.flatten(x, 1))))

    def weights(self):
        """As they came."""
        found = {}
        for at, conv in enumerate(self.convs, 1):
            found[f"conv{at}.weight"], found[f"conv{at}.bias"] = conv.weight, conv.bias
        for name in ("fc1", "fc2"):
            layer = getattr(self, name)
            found[f"{name}.weight"], found[f"{name}.bias"] = layer.weight.T, layer.bias
        return {name: numpy.ascontiguousarray(value.detach().numpy()) for name, value in found.items()}

    def multiplications(self):
        size, count = side, 0
        for conv in self.convs:
            count += conv.weight.numel() * size * size
            size //= 2
        return count + self.fc1.weight.numel() + self.fc2.weight.numel()


def pruned(teacher, ratio, scope, round_to):
    """One shot: group L2 norm, each group's scores over their mean."""
    model = copy.deepcopy(teacher)
    pruner = pruning.pruner.MagnitudePruner(
        model,
        torch.zeros(1, 1, side, side),
        importance=pruning.importance.MagnitudeImportance(p=2),
        global_pruning=scope == "global",
        pruning_ratio=ratio,
        max_pruning_ratio=most,
        ignored_layers=[model.fc2],
        round_to=round_to or None,
    )
    pruner.step()
    return model


def pruned_to(teacher, removed, scope, round_to):
    """The ratio of channels that takes away what is nearest to that share of the multiplications."""
    aim = (1 - removed) * teacher.multiplications()
    tried = [(pruned(teacher, step / 200, scope, round_to), step / 200) for step in range(1, 160)]
    return min(tried, key=lambda one: abs(one[0].multiplications() - aim))


def batched(model, images, rows=500):
    with torch.no_grad():
        return torch.cat([model(images[at : at + rows]) for at in range(0, len(images), rows)])


def accuracy(model, test):
    return 100 * (batched(model, test["images"]).argmax(1) == test["labels"]).float().mean().item()


def rate_at(job, step):
    if job.get("recovery") == "own":
        return own_rate * 0.1 ** sum(step >= share * job["steps"] for share in (0.6, 0.8))
    if step < job["warmUp"]:
        return job["rate"] * (step + 1) / job["warmUp"]
    share = min(1, (step - job["warmUp"]) / max(1, job["steps"] - 1 - job["warmUp"]))
    return job["rate"] * (1 + math.cos(math.pi * share)) / 2


def optimizer_of(job, model):
    if job.get("recovery") == "own":
        return torch.optim.SGD(model.parameters(), lr=own_rate, momentum=0.9, weight_decay=5e-4)
    kinds = [[one for one in model.parameters() if (one.dim() > 1) == decays] for decays in (True, False)]
    groups = [{"params": kinds[0], "weight_decay": job["weightDecay"]}, {"params": kinds[1], "weight_decay": 0}]
    return torch.optim.AdamW(groups, lr=job["rate"], betas=(0.9, 0.999), eps=1e-8)


def loss_of(job, outputs, logits, labels):
    if job.get("recovery", "teacher") != "teacher":
        return f.cross_entropy(outputs, labels)
    temperature = job["temperature"]
    student = f.log_softmax(outputs / temperature, 1)
    teacher = f.log_softmax(logits / temperature, 1)
    return f.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


def recover(start, job, images, logits, labels, order):
    model = copy.deepcopy(start)
    optimizer = optimizer_of(job, model)
    clips = job["clipNorm"] > 0 and job.get("recovery") != "own"
    parameters = list(model.parameters())
    started = shown = time.perf_counter()
    for step in range(job["steps"]):
        at = order[step * job["batch"] : (step + 1) * job["batch"]]
        loss = loss_of(job, model(images[at]), logits[at], labels[at])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clips:
            nn.utils.clip_grad_norm_(parameters, job["clipNorm"])
        for group in optimizer.param_groups:
            group["lr"] = rate_at(job, step)
        optimizer.step()
        if time.perf_counter() - shown > 30:
            shown = time.perf_counter()
            print(f"    step {step + 1} of {job['steps']}, loss {loss.item():.4f}", file=sys.stderr, flush=True)
    return model, time.perf_counter() - started


def main(job):
    torch.set_num_threads(job["threads"])
    teacher = Net({name: torch.from_numpy(array.copy()) for name, array in numpy.load(job["weights"]).items()})
    test = {name: torch.from_numpy(array) for name, array in numpy.load(job["test"]).items()}
    images = torch.from_numpy(numpy.load(job["images"]))
    if not Path(job["logits"]).exists():
        # never half of a file, where several runs share it
        beside = f"{job['logits']}.{os.getpid()}.npy"
        numpy.save(beside, batched(teacher, images).numpy())
        os.replace(beside, job["logits"])
    logits = torch.from_numpy(numpy.load(job["logits"]))
    labels = torch.from_numpy(numpy.load(job["classes"])) if "classes" in job else torch.zeros(len(images), dtype=torch.int64)
    model, ratio = pruned_to(teacher, job["removed"], job["scope"], job["round"])
    order = torch.from_numpy(numpy.load(job["order"]).astype(numpy.int64))
    numpy.savez(job["to"].replace(".npz", "-pruned.npz"), **model.weights())
    courses = []
    for course in job.get("courses", [{}]):
        own = {**job, **course}
        found, seconds = recover(model, own, images, logits, labels, order)
        numpy.savez(own["to"], **found.weights())
        courses.append({"steps": own["steps"], "recovered": accuracy(found, test), "seconds": seconds})
    result = {
        "versions": {"PyTorch": torch.__version__, "Torch-Pruning": version("torch-pruning")},
        "original": accuracy(teacher, test),
        "ratio": ratio,
        "channels": [conv.out_channels for conv in model.convs],
        "hidden": model.fc1.out_features,
        "removed": 1 - model.multiplications() / teacher.multiplications(),
        "pruned": accuracy(model, test),
        "recovered": courses[-1]["recovered"],
        "seconds": sum(one["seconds"] for one in courses),
        "courses": courses,
    }
    print(json.dumps(result))


main(json.loads(sys.argv[1]))
