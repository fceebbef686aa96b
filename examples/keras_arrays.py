"""Train a Keras network, on any backend, with rare classes filled up: arrays in, arrays out.

For `tf.data`, hand the same arrays to `tf.data.Dataset.from_tensor_slices((X_all, y_all))`.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # which is there already

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ganaug import GANAugmenter

X, y = load_digits(n_class=3, return_X_y=True)
X = (X / 16).astype("float32").reshape(-1, 8, 8, 1)  # (n, H, W, C), as Keras has them
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
kept = np.concatenate([np.flatnonzero(y_train == label)[: 120 >> label] for label in range(3)])

augmenter = GANAugmenter(
    n_generators=1,
    max_images=10_000,  # short, for the example's sake: leave both out for data of your own
    random_state=0,
    verbose=0,
).fit(X_train[kept], y_train[kept])
# real ones first and untouched; a quarter of what is added is synthetic, where classes are trusted
X_all, y_all = augmenter.augment(X_train[kept], y_train[kept], synthetic_share=0.25)
print(f"{np.bincount(y_train[kept])} images of each class, then {np.bincount(y_all)}")

keras.utils.set_random_seed(0)
network = keras.Sequential(
    [
        keras.Input(X_all.shape[1:]),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
)
network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
network.fit(X_all, y_all, batch_size=32, epochs=10, verbose=0)
print(f"accuracy on other images: {network.evaluate(X_test, y_test, verbose=0)[1]:.3f}")
