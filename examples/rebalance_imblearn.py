"""Rebalance classes with imbalanced-learn, and ask how far, with one GAN per fold."""

import tempfile

import numpy as np
from imblearn.pipeline import Pipeline
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ganaug import GANAugmenter, GANOverSampler

# Rows of 64 pixels: digits 0, 1 and 2, made imbalanced.
X, y = load_digits(return_X_y=True)
counts = {0: 150, 1: 70, 2: 40}
rows = np.concatenate([np.flatnonzero(y == label)[:n] for label, n in counts.items()])
X, y = X[rows], y[rows]

# A short training, for the example's sake: leave max_images out for data of your own.
augmenter = GANAugmenter(image_shape=(8, 8), max_images=10_000, verbose=0)

with tempfile.TemporaryDirectory() as cache:  # a folder of your own keeps GANs between runs
    sampler = GANOverSampler(augmenter, random_state=0, cache_dir=cache)
    pipeline = Pipeline([("sampler", sampler), ("scaler", StandardScaler()), ("clf", SVC())])
    search = GridSearchCV(
        pipeline,
        [
            {"sampler": ["passthrough"]},  # the rows as they are
            {"sampler__synthetic_share": [0, 0.25, 0.5]},  # 0: variations of real ones only
        ],
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        scoring="balanced_accuracy",
        refit=False,  # search.fit would train one more GAN, on all rows
        error_score="raise",
    )
    search.fit(X, y)  # trains two GANs, one per fold, for all three shares

for parameters, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"{score:.3f}  {parameters}")
