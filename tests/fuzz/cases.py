"""How many cases, and how a file is damaged or crafted; all from one seed for each case."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random

from safetensors.torch import save

SEED = int(os.environ.get("GANAUG_FUZZ_SEED", "0"))
IS_LONG = os.environ.get("GANAUG_FUZZ") == "long"


def seeds(short, long):
    """Seeds of as many cases as this run has time for."""
    return range(SEED, SEED + (long if IS_LONG else short))


# --- damages -----------------------------------------------------------------------------------


def damaged(content, seed):
    """Change bytes as disks, copies and transfers do; never into what it was."""
    rng = random.Random(f"damage {seed}")
    while True:
        changed = rng.choice(DAMAGES)(content, rng)
        if changed != content:
            return changed


def _flip(content, rng):
    # half of them in the header, which is a small part of the file
    n_header = int.from_bytes(content[:8], "little") + 8
    place = rng.randrange(n_header if rng.random() < 0.5 else len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _cut(content, rng):
    return content[: rng.randrange(len(content))]


def _zero(content, rng):
    place, n = rng.randrange(len(content)), rng.choice([1, 64, 512, 4096])
    return content[:place] + bytes(len(content[place : place + n])) + content[place + n :]


def _insert(content, rng):
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(rng.randrange(1, 20)) + content[place:]


def _swap(content, rng):
    n = rng.choice([4, 64, 512])
    a, b = sorted(rng.sample(range(len(content) - n), 2))
    if b - a < n:
        return content
    one, other = content[a : a + n], content[b : b + n]
    return content[:a] + other + content[a + n : b] + one + content[b + n :]


def _remove(content, rng):
    place = rng.randrange(len(content))
    return content[:place] + content[place + rng.randrange(1, 100) :]


DAMAGES = [_flip, _flip, _flip, _cut, _zero, _insert, _swap, _remove]


# --- crafted files -----------------------------------------------------------------------------

RAW = "\ue000raw:"
"""Marks a text that is written into JSON without its quotes: what `json.dumps` does not write."""

HOSTILE: list[object] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    7,
    2**31,
    2**63 - 1,
    -(2**63),
    0.5,
    1e308,
    -1e308,
    5e-324,
    "",
    "a",
    "load",
    "os.system",
    "../../etc/passwd",
    "/dev/zero",
    "\x00",
    "\ud800",
    "\x1b[31m",
    "float64",
    "V1000000000",
    "f4,f4",
    "<U1000000",
    "object",
    "category",
    "cuda:99",
    "x" * 10_000,
    [],
    [0],
    [1, 8, 8],
    [10**9] * 4,
    [[]],
    [None],
    {},
    {"": 0},
    {"float": "nan"},
    {"float": "inf"},
    {"float": 0},
    {"pairs": []},
    {"pairs": [[1, 2], [1, 3]]},
    {"pairs": [[[1], 2]]},
    {"pairs": 1},
    RAW + "1e400",
    RAW + "NaN",
    RAW + "-Infinity",
    RAW + "9" * 400,
    RAW + "[" * 900 + "]" * 900,
    RAW + "[" * 100_000,
    RAW + "{",
    RAW + '{"a": 1, "a": 2}',
]


def crafted(described, tensors, seed):
    """Write a file with a right checksum whose description or tensors are not what was saved."""
    rng = random.Random(f"craft {seed}")
    described, tensors = copy.deepcopy(described), dict(tensors)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if rng.random() < 0.15:
            _change_tensors(tensors, rng)
        else:
            _change_somewhere(described, rng)
    return packed(described, tensors)


def packed(described, tensors):
    """Give the bytes of a file, with the checksum that belongs to them."""
    text = json.dumps({**described, "sha256": "0" * 64})
    while (start := text.find(json.dumps(RAW)[1:-1])) >= 0:
        end = text.index('"', start)
        while text[end - 1] == "\\":
            end = text.index('"', end + 1)
        raw = json.loads(text[start - 1 : end + 1]).removeprefix(RAW)
        text = text[: start - 1] + raw + text[end + 1 :]
    content = save(tensors, metadata={"ganaug": text})
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(b"0" * 64, digest.encode(), 1)


def _change_somewhere(described, rng):
    """Replace, remove, add or exchange one of all values, at any depth."""
    places = list(_places(described))
    owner, key = rng.choice(places)
    kind = rng.choice(["replace", "replace", "replace", "remove", "add", "exchange", "shift"])
    if kind == "replace":
        owner[key] = copy.deepcopy(rng.choice(HOSTILE))
    elif kind == "remove":
        del owner[key]
    elif kind == "add" and isinstance(owner, dict):
        owner[rng.choice(["x", "memory", "device", "cache_dir", "", "float", "pairs"])] = owner[key]
    elif kind == "add":
        owner.insert(key, copy.deepcopy(rng.choice([owner[key], *HOSTILE])))
    elif kind == "exchange":
        other, other_key = rng.choice(places)
        owner[key] = copy.deepcopy(other[other_key])
    elif isinstance(owner[key], int | float):
        owner[key] = owner[key] + rng.choice([-1, 1, 0.5, 1000])


def _places(value):
    """All places in a description at which something stands."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _change_tensors(tensors, rng):
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    kind = rng.choice(["remove", "rename", "double", "shape", "huge", "NaN", "one more"])
    if kind == "remove":
        del tensors[name]
    elif kind == "rename":
        tensors[name + rng.choice(["x", "/../x", "\x00"])] = tensors.pop(name)
    elif kind == "double":
        tensors[name] = tensor.double()
    elif kind == "shape":
        tensors[name] = tensor.flatten()[None].clone()
    elif kind == "huge":
        tensors[name] = tensor * 10**8
    elif kind == "NaN" and tensor.is_floating_point():
        tensors[name] = tensor * float("nan")
    else:
        tensors["x"] = tensor.clone()
