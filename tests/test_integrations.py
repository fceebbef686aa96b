from __future__ import annotations

import subprocess
import sys

import pytest

LIBRARIES = ("albumentations", "lightning", "torchvision")


@pytest.fixture(scope="module")
def errors_without_libraries():
    """What importing each adapter raises where no library is installed; one process for all."""
    code = f"""
import sys
for name in {LIBRARIES}:
    sys.modules[name] = None  # as if not installed
    try:
        __import__("ganaug.integrations." + name)
    except ImportError as error:
        print(type(error).__name__, error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return dict(zip(LIBRARIES, run.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("library", LIBRARIES)
def test_without_its_library_an_adapter_says_how_to_install_it(errors_without_libraries, library):
    message = errors_without_libraries[library]
    assert message.startswith(f"MissingDependencyError {library} is needed")
    assert message.endswith(f'pip install "ganaug[{library}]"')
