"""Adapters to other libraries; each module imports its library itself.

- :mod:`ganaug.integrations.torchvision`: `SyntheticMix`, a batch transform
- :mod:`ganaug.integrations.albumentations`: `SyntheticReplace`, an image transform
- :mod:`ganaug.integrations.lightning`: `SetEpoch`, a callback
"""
