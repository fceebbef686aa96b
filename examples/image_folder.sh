#!/bin/sh
# Your own folder of images, from the command line: fit a model, look at it, make more images.
# Works in the current folder.
set -eu

# Your images: one subfolder per class. Here digits from scikit-learn, 60 of "one", 30 of "two".
python3 - <<'END'
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)
for label, name, n in ((1, "one", 60), (2, "two", 30)):
    folder = Path("photos") / name
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(X[y == label][:n]):
        Image.fromarray((pixels * 15).astype("uint8").reshape(8, 8)).save(folder / f"{i}.png")
END

# A short training, for the example's sake: leave --max-images out for images of your own.
# Larger images, or images of different sizes, need --resize HEIGHTxWIDTH.
ganaug fit photos --out model --max-images 10000 --quiet
ganaug info model

# Exactly as many images of each class as you ask for, as PNG files in one subfolder per class.
ganaug sample model --class one=5 --class two=35 --out synthetic
for class in one two; do
    echo "$class: $(find "synthetic/$class" -name '*.png' | wc -l) synthetic images"
done
