"""Spoken words: recordings to log-mel images, the remedy measured, rare words filled, an SVC.

python spoken_digits.py FOLDER    # of WORD_SPEAKER_NUMBER.wav: mono, 16 bits, 8 kHz
"""

import sys
import wave
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from ganaug import evaluate_gain

SIZE, RATE, HOP = 32, 8000, 250  # the image's width is SIZE * HOP = RATE samples: a second


def mel_filters():
    """Make triangles of equal width on the mel scale, (SIZE, frequencies)."""
    edges = 700 * ((1 + RATE / 1400) ** torch.linspace(0, 1, SIZE + 2) - 1)  # in Hz
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hertz = torch.linspace(0, RATE / 2, 4 * HOP + 1)
    rising, falling = (hertz - left) / (middle - left), (right - hertz) / (right - middle)
    return torch.minimum(rising, falling).relu()


def log_mel(path):
    """Read a recording's first second: the loudest 60 dB, low frequencies at the bottom."""
    with wave.open(str(path)) as recording:
        assert recording.getparams()[:3] == (1, 2, RATE), f"{path}: convert it"
        sound = np.frombuffer(recording.readframes(RATE + HOP), dtype="<i2") / 2**15
    padded = torch.zeros(RATE + HOP)
    padded[: len(sound)] = torch.from_numpy(sound)
    frames = padded.unfold(0, 2 * HOP, HOP) * torch.hann_window(2 * HOP)
    power = torch.fft.rfft(frames, n=8 * HOP).abs() ** 2
    decibels = 10 * torch.log10(mel_filters() @ power.T + 1e-12)
    return (255 * ((decibels - decibels.max()) / 60 + 1).clamp(0, 1)).round().byte().flip(0)


paths, shape = sorted(Path(sys.argv[1]).glob("*.wav")), (SIZE, SIZE)
X = torch.stack([log_mel(path) for path in paths]).flatten(1).numpy()  # rows of 32 x 32 pixels
y, _, number = np.array([path.stem.split("_") for path in paths]).T
is_test = number.astype(int) < 5  # of each speaker and word

# Made imbalanced: each word is rarer than the one before. Leave this out for data of your own.
rng = np.random.default_rng(0)
words = [rng.permutation(np.flatnonzero((y == word) & ~is_test)) for word in np.unique(y)]
train = np.concatenate([w[: max(6, int(0.8 * len(w) * 0.77**i))] for i, w in enumerate(words)])

# Leave `remedies` out, and features of a GAN are tried, too, from 500 recordings on: minutes more.
cheap = ["class weights", "duplicates", "smote", "augmented", "mixed", "enlarged"]
verdict = evaluate_gain(SVC(), X[train], y[train], image_shape=shape, remedies=cheap)
print(verdict)
# Its pipeline adds samples while it is fitted, and leaves alone what it predicts.
for name, model in (("as they are", SVC()), (verdict.choice, verdict.make_pipeline())):
    predicted = model.fit(X[train], y[train]).predict(X[is_test])
    print(f"{name}: balanced accuracy {balanced_accuracy_score(y[is_test], predicted):.3f}")
