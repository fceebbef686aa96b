"""The engine: conditional GANs in torch, knowing nothing of scikit-learn."""
