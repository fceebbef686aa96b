"""Which part may import which, what `import ganaug` loads, and what library code never calls."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ganaug"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the foundations up. A part (a module, or a folder of them) may import itself and the parts on
# earlier lines, never one on its own line or below.
LAYERS = (
    {"_version", "exceptions", "naming", "options"},
    {"checks", "devices", "seeds", "settings", "storage"},
    {"jsonable", "warping"},
    {"tensorfile"},
    {"gan", "inputs"},
    {"classifier"},
    {"augmentation", "audit", "dataset", "matching", "outputs", "progress", "workers"},
    {"model"},
    {"history", "resampling"},
    {"sampler"},
    {"fitting", "mixing"},
    {"export", "model_card", "model_schema"},
    {"persistence"},
    {"cache"},
    {"model_audit", "parameters", "replacing"},
    {"fitted"},
    {"augmenter"},
    {"features", "oversampler", "shards"},
    {"gain", "integrations"},
    {"cli"},
    {"__init__", "__main__"},
)
LAYER_OF = {part: i for i, layer in enumerate(LAYERS) for part in layer}

# Libraries that belong to a single part, or that are extras and load only when they are used
EXTRAS = (
    "albumentations",
    "dask",
    "datasets",
    "distributed",
    "jinja2",
    "lightning",
    "matplotlib",
    "onnx",
    "onnxscript",
    "pandas",
    "skorch",
    "timm",
    "torchmetrics",
    "torchvision",
    "webdataset",
)

GLOBAL_STATE = {
    "np.random.seed",
    "np.random.set_state",
    "numpy.random.seed",
    "random.seed",
    "torch.cuda.manual_seed",
    "torch.cuda.manual_seed_all",
    "torch.manual_seed",
    "torch.random.fork_rng",
    "torch.random.manual_seed",
    "torch.seed",
    "torch.set_default_device",
    "torch.set_default_dtype",
    "torch.set_float32_matmul_precision",
    "torch.set_num_interop_threads",
    "torch.set_num_threads",
    "torch.set_rng_state",
    "torch.use_deterministic_algorithms",
}
# Users' transforms may draw from global state in ways that take no generator; it is put back
EXEMPT = {"augmentation.py": {"torch.random.fork_rng"}}


def part_of(path):
    """The module or folder of the package that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_names(tree):
    """Dotted names of everything that a module imports, at its top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(node):
    """`a.b.c` as text; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and dotted(node.value):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path):
    part = part_of(path)
    names = [name for name in imported_names(parsed(path)) if name.startswith("ganaug.")]
    # `from ganaug import demo` names a part, `from ganaug import GANAugmenter` the package's root
    seconds = {name.split(".")[1] for name in names}
    ours = {name if name in LAYER_OF else "__init__" for name in seconds}

    upward = {other for other in ours - {part} if LAYER_OF[other] >= LAYER_OF[part]}

    assert upward == set()


@pytest.mark.parametrize("path", sorted((PACKAGE / "gan").rglob("*.py")), ids=name_of)
def test_the_engine_knows_nothing_of_scikit_learn(path):
    libraries = {name.partition(".")[0] for name in imported_names(parsed(path))}

    assert libraries & {"sklearn", "imblearn", "pandas", "PIL"} == set()


def test_importing_loads_no_optional_library():
    # in a fresh process; what torch, scikit-learn and imbalanced-learn load is not ours
    code = """
import sys, torch, torch.utils.data, sklearn, imblearn.utils, tqdm.auto
before = set(sys.modules)
import ganaug, ganaug.cli, ganaug.cli.digits, ganaug.inputs.files
for name in ganaug.__all__:
    getattr(ganaug, name)
print(*sorted(set(sys.modules) - before))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}

    assert "ganaug" in loaded
    assert loaded & set(EXTRAS) == set()


def test_the_main_job_needs_no_optional_library():
    code = f"""
from importlib.machinery import PathFinder
find = PathFinder.find_spec

@staticmethod
def find_others(name, path=None, target=None):
    return None if name.partition(".")[0] in {EXTRAS} else find(name, path, target)

PathFinder.find_spec = find_others
import ganaug.cli
from sklearn.datasets import load_digits
from ganaug import GANAugmenter
X, y = load_digits(n_class=2, return_X_y=True)
options = {{"max_images": 256, "n_generators": 1, "width": 4, "random_state": 0}}
augmenter = GANAugmenter(image_shape=(8, 8), **options)
print(augmenter.fit(X, y).sample({{0: 3, 1: 2}})[1].tolist())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[0, 0, 0, 1, 1]"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_library_code_prints_nothing_and_leaves_global_state_alone(path):
    calls = {dotted(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
    targets = [
        dotted(target)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]

    assert calls & {"print", *GLOBAL_STATE} == EXEMPT.get(name_of(path), set())
    assert [target for target in targets if target.startswith("torch.backends")] == []
