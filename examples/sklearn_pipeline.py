"""A step in a scikit-learn Pipeline: some training rows become synthetic ones of their class.

A plain Pipeline cannot add rows. See rebalance_imblearn.py for the over-sampler, which adds rows
and takes none away; use it where you can.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ganaug import GANAugmenter

X, y = load_digits(n_class=3, return_X_y=True)  # rows of 64 pixels
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# mix_fraction: the share of each class's training rows that is replaced. Classes with fewer than
# min_real rows are left alone.
augmenter = GANAugmenter(
    image_shape=(8, 8),
    mix_fraction=0.2,
    min_real=100,
    max_images=10_000,  # short, for the example's sake: leave it out for data of your own
    random_state=0,
)
pipeline = make_pipeline(augmenter, StandardScaler(), SVC()).fit(X_train, y_train)

mask = pipeline[0].kinds_ == "synthetic"
print(f"{mask.sum()} of {len(mask)} training rows are synthetic")
print(f"test rows, never changed: accuracy {pipeline.score(X_test, y_test):.3f}")
