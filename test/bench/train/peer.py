"""The same training in PyTorch, eager: peer.py JOB, a JSON object with model (mlp, transformer, cnn), weights and data
(.npz files), threads, seconds, rate. Prints JSON: losses of the first steps, steps per second, CPU-ms per step, peak RSS.

Weights are named and laid out as in the ONNX files: Gemm with transB and Conv as PyTorch has them, MatMul as [in, out].
"""
import json
import resource
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as f


def peak_bytes():
    """Of this program alone: what getrusage says may be the parent's."""
    try:
        with open("/proc/self/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def linear(weights, name, transposed=False):
    weight = weights[f"{name}.weight"]
    layer = nn.Linear(1, 1)
    layer.weight = nn.Parameter(weight.T.contiguous() if transposed else weight)
    layer.bias = nn.Parameter(weights[f"{name}.bias"]) if f"{name}.bias" in weights else None
    return layer


def norm(weights, name):
    layer = nn.LayerNorm(weights[f"{name}.weight"].shape)
    layer.weight, layer.bias = (nn.Parameter(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return layer


class Mlp(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.fc1, self.fc2 = linear(weights, "fc1"), linear(weights, "fc2")

    def forward(self, x):
        return self.fc2(f.relu(self.fc1(x.flatten(1))))


class Transformer(nn.Module):
    """One pre-norm block, causal."""

    heads = 4

    def __init__(self, weights):
        super().__init__()
        self.tokens, self.positions = (nn.Parameter(weights[name]) for name in ("tokens", "positions"))
        self.norm1, self.norm2, self.norm3 = (norm(weights, name) for name in ("norm1", "norm2", "norm3"))
        names = ("query", "key", "value", "out", "up", "down", "head")
        self.layers = nn.ModuleDict({name: linear(weights, name, True) for name in names})

    def forward(self, ids):
        batch, length = ids.shape
        x = f.embedding(ids, self.tokens) + self.positions
        y = self.norm1(x)
        split = [
            self.layers[name](y).view(batch, length, self.heads, -1).transpose(1, 2) for name in ("query", "key", "value")
        ]
        y = f.scaled_dot_product_attention(*split, is_causal=True)
        x = x + self.layers["out"](y.transpose(1, 2).reshape(batch, length, -1))
        x = x + self.layers["down"](f.gelu(self.layers["up"](self.norm2(x))))
        return self.layers["head"](self.norm3(x)).flatten(0, 1)


class Cnn(nn.Module):
    """A stem and three residual blocks of two 3x3 convolutions, no normalization."""

    def __init__(self, weights):
        super().__init__()
        self.convs = nn.ModuleDict()
        for name in sorted({name.rpartition(".")[0] for name in weights} - {"head"}):
            out, inner, size, _ = weights[f"{name}.weight"].shape
            stride = 2 if name in ("block2_first", "block2_short", "block3_first", "block3_short") else 1
            conv = nn.Conv2d(inner, out, size, stride, size // 2)
            conv.weight, conv.bias = (nn.Parameter(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
            self.convs[name] = conv
        self.head = linear(weights, "head")

    def forward(self, x):
        convs = self.convs
        x = f.relu(convs["stem"](x))
        for block in ("block1", "block2", "block3"):
            y = convs[f"{block}_second"](f.relu(convs[f"{block}_first"](x)))
            x = f.relu(y + (convs[f"{block}_short"](x) if f"{block}_short" in convs else x))
        return self.head(x.mean((2, 3)))


models = {"mlp": Mlp, "transformer": Transformer, "cnn": Cnn}


def main(job):
    torch.set_num_threads(job["threads"])
    weights = {name: torch.from_numpy(array.copy()) for name, array in numpy.load(job["weights"]).items()}
    data = {name: torch.from_numpy(array) for name, array in numpy.load(job["data"]).items()}
    model = models[job["model"]](weights)
    parameters = list(model.parameters())
    count = sum(parameter.numel() for parameter in parameters)
    if count != sum(weight.numel() for weight in weights.values()):
        sys.exit(f"{count} parameters are not those of the file")
    optimizer = torch.optim.Adam(parameters, lr=job["rate"])

    def step(at):
        loss = f.cross_entropy(model(data["x"][at]), data["labels"][at].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    batches = len(data["x"])
    losses = [step(at) for at in range(batches)]
    steps = 0
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < job["seconds"]:
        step(steps % batches)
        steps += 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    result = {
        "version": torch.__version__,
        "parameters": count,
        "losses": losses,
        "stepsPerSecond": steps / wall,
        "cpuMs": 1000 * cpu / steps,
        "peakBytes": peak_bytes(),
    }
    print(json.dumps(result))


main(json.loads(sys.argv[1]))
