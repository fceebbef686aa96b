"""Use synthetic images as one more step of an albumentations pipeline."""

import json

import albumentations as A
import numpy as np
from sklearn.datasets import load_digits

from ganaug import GANAugmenter
from ganaug.integrations.albumentations import SyntheticReplace

# Your images: uint8 arrays. Here digits 0, 1 and 2.
X, y = load_digits(n_class=3, return_X_y=True)
images = (X * 15).astype(np.uint8).reshape(-1, 8, 8)

# A short training, for the example's sake: leave max_images out for data of your own.
GANAugmenter(max_images=10_000, random_state=0).fit(images, y).save("digits-model")

# The transform knows the model by its path, so that a pipeline can be saved like any other.
pipeline = A.Compose(
    [
        SyntheticReplace("digits-model", p=0.5),
        A.Affine(rotate=(-10, 10), p=0.5),
        A.RandomBrightnessContrast(p=0.5),
    ],
    seed=0,
)
for image, label in zip(images[:5], y[:5], strict=True):
    result = pipeline(image=image, label=int(label))  # the label is needed in every call
    print(f"label {label}: {result['image'].shape} {result['image'].dtype}")

saved = json.dumps(A.to_dict(pipeline))
again = A.from_dict(json.loads(saved))
print(again)
