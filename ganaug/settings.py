"""Other code's torch settings: neither used nor changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Compute in float32, on the CPU where no device is named, whatever the process has set.

    A context manager, and a decorator: ``@own_settings()``. Default dtype and device, grad mode,
    inference mode, autocast and NumPy's handling of floating-point errors are what they are in a
    fresh process, in this thread and until the end of the block. All of these are kept per thread,
    but for the default dtype, which is therefore not set, but overruled call by call; where it is
    float32, as it is almost always, that costs nothing.

    Examples
    --------
    >>> with torch.inference_mode(), own_settings():
    ...     torch.ones(2, requires_grad=True).sum().backward()
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(np.errstate(all="warn", under="ignore"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(_Float32())
        yield


_MAKE_FLOATS = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.linspace}
_MAKE_WHAT_THEY_GET = {torch.tensor, torch.as_tensor, torch.full, torch.arange}


class _Float32(TorchFunctionMode):
    """Gives torch's factories the dtype that they take from the default one."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("dtype") is None and _takes_the_default(func, args):
            kwargs["dtype"] = torch.float32
        return func(*args, **kwargs)


def _takes_the_default(func: Any, args: tuple[Any, ...]) -> bool:
    if func in _MAKE_FLOATS:
        return True
    if func not in _MAKE_WHAT_THEY_GET:
        return False
    given = args[-1] if func is torch.full else args[0] if len(args) == 1 else args
    if isinstance(given, torch.Tensor | np.ndarray | np.generic):
        return False  # these bring a dtype of their own
    return np.asarray(given).dtype.kind == "f"
