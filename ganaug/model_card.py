"""The card beside a saved model: what it is, for people who get to see only its folder."""

from __future__ import annotations

from ganaug.history import ladder_in_words
from ganaug.model import FittedModel
from ganaug.naming import printable

MOST_CLASSES = 100
MARKDOWN = set("\\`*_{}[]()<>#!|~&$:@")


def model_card(model: FittedModel) -> str:
    """Describe a model in Markdown, with the front matter that model hubs read.

    The licence is left to the owner of the images: a model of them may not be freer than they are.
    """
    gans, spec = model.gans, model.spec
    config = gans[0].config
    shape = config.image_shape or (config.n_features,)
    versions = model.origin.get("versions", {})
    tried = ladder_in_words(model)
    state = " The training was interrupted." if model.interrupted else ""
    return f"""---
license: unknown
library_name: ganaug
tags: [data-augmentation, gan]
---

# A ganaug model

Makes synthetic {"images" if spec.kind == "image" else "feature rows"} of {len(model.classes)} \
classes, to be added to the real ones that a classifier is trained on.

```python
from ganaug import GANAugmenter

X, y = GANAugmenter.load("path of this folder").sample(100)
```

## Licence

Not stated. Fill in `license` above. Samples may resemble single training images: whoever may not
have these should not get the model either.

## Intended use

Training classifiers of the classes below, on data like the training data. Not for evaluation (keep
real samples for that), not for identification, and no evidence of anything in the real world.
Classes of low trust should get no synthetic samples.

## Data

- Fingerprint (SHA-256): {_escaped(model.fingerprint)}
- Shape of a sample: {tuple(shape)}

| class | real samples | trust |
| --- | --- | --- |
{_class_rows(model)}

Trust is the share of unfiltered synthetic samples that a classifier of the real ones takes for
their class.

## Training

- Networks: {len(gans)}, recipe {config.recipe}, width {config.width}, seed {model.seed}
- Real images shown: {model.images_seen:,}, in {model.seconds:.0f} seconds.{state}
- Samples that a classifier of the real ones takes for another class are \
{"rejected" if model.is_filtered else "kept"}
- Alarms: {_alarms(model)}.{" " * bool(tried) + tried}
- Versions: {_escaped(", ".join(f"{name} {v}" for name, v in versions.items()) or "unknown")}

`model.safetensors` is all that is read. `config.json` and this page were made from it.
"""


def _class_rows(model: FittedModel) -> str:
    trust = [f"{share:.2f}" for share in model.trust or ()] or ["unknown"] * len(model.classes)
    rows = zip(model.class_names, model.class_counts.tolist(), trust, strict=True)
    lines = [f"| {_escaped(label)} | {n} | {share} |" for label, n, share in rows]
    if len(lines) > MOST_CLASSES:
        lines[MOST_CLASSES:] = [f"| and {len(lines) - MOST_CLASSES} more | | |"]
    return "\n".join(lines)


def _alarms(model: FittedModel) -> str:
    kinds = dict.fromkeys(alarm.kind for gan in model.gans for alarm in gan.alarms)
    return _escaped(", ".join(kinds)) or "none"


def _escaped(text: object) -> str:
    """Keep a name from being read as Markdown, HTML or a terminal's commands."""
    return "".join(f"\\{c}" if c in MARKDOWN else c for c in printable(text))
