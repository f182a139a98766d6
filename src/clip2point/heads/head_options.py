"""Options of the heads: defaults and allowed values.

The settings of a head are a frozen dataclass of JSON types; its fields are the keywords of the head's constructor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from clip2point.core.errors import OptionError

PathChoice = Literal["depth", "image", "both"]

T = TypeVar("T", int, float)
AnySettings = TypeVar("AnySettings", bound="HeadSettings")


def number(default: T, *, above: float | None = None, at_least: float | None = None) -> T:
    """Declare a field for a finite number within a limit."""
    return field(default=default, metadata={"above": above, "at_least": at_least})


@dataclass(frozen=True)
class HeadSettings:
    """No options; the base of the settings of heads that have some.

    Raises:
        OptionError: If a value makes no sense; the message names the option.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for option in fields(self):
            value = getattr(self, option.name)
            if hints[option.name] in (int, float):
                _check_number(option.name, value, hints[option.name], **option.metadata)
            else:
                _check_choice(option.name, value, get_args(hints[option.name]) or (True, False))


@dataclass(frozen=True)
class PathSettings(HeadSettings):
    """Path option of heads that do not fuse the paths.

    Attributes:
        path: View features to read: "depth" for the pre-trained depth tower's, "image" for those of CLIP's own image
            tower for the same depth maps, "both" for both as twice as many views.
    """

    path: PathChoice = "both"


@dataclass(frozen=True)
class ZeroShotSettings(PathSettings):
    """Options of zero-shot recognition: the path, which is the depth tower's as for a model without a head."""

    path: PathChoice = "depth"


@dataclass(frozen=True)
class LinearSettings(PathSettings):
    """Options of logistic regression.

    Attributes:
        c: Inverse strength of the L2 penalty, as scikit-learn defines it; the features of a shape have length 1, and
            its augmented views count as one shape.
    """

    c: float = number(100.0, above=0)


@dataclass(frozen=True)
class TipSettings(PathSettings):
    """Options of Tip-Adapter.

    Attributes:
        alpha: Weight of the cache. It is the paper's times the mean number of examples of a class, so that the same
            value suits one example of a class and hundreds.
        beta: Sharpness of the affinity.
    """

    alpha: float = number(10.0, at_least=0)
    beta: float = number(10.0, above=0)


@dataclass(frozen=True)
class TipTrainingSettings(TipSettings):
    """Options of Tip-Adapter-F; alpha and beta are those of training, until validation chooses others.

    Attributes:
        epochs: Number of passes over the examples.
        lr: Initial learning rate of AdamW; it falls to 0 along a cosine.
    """

    epochs: int = number(20, at_least=1)
    lr: float = number(1e-3, above=0)


@dataclass(frozen=True)
class NetworkSettings(HeadSettings):
    """Options of adapters that are networks, with defaults that validation chose on ModelNet10.

    The public code of CLIP2Point trains its DPA with lr 1e-3, scale "off" and unit False.

    Attributes:
        epochs: Number of passes over the examples, each with a random augmented view of every shape.
        steps: Largest number of training steps; a large set gets fewer epochs for it, but always one.
        lr: Initial learning rate of AdamW; it falls to 0 along a cosine.
        weight_decay: Weight decay of AdamW, on all weights.
        batch_size: Number of shapes in a step.
        scale: Factor on the adapter's cosines, in the loss and in the scores: "off" for 1, "fixed" for 100, "learned".
        unit: Normalise view features first; the public code takes them as the towers give them.
        blend: Weight of the zero-shot logits that are added to the adapter's scores: those of the depth tower, unless
            the adapter reads the image tower alone. It has no part in training: with few examples the class names know
            better, and validation tells how much.
    """

    epochs: int = number(100, at_least=1)
    steps: int = number(2000, at_least=1)
    lr: float = number(3e-4, above=0)
    weight_decay: float = number(1e-4, at_least=0)
    batch_size: int = number(32, at_least=2)
    scale: Literal["off", "fixed", "learned"] = "learned"
    unit: bool = True
    blend: float = number(0.0, at_least=0)


@dataclass(frozen=True)
class InterViewSettings(NetworkSettings, PathSettings):
    """Options of the inter-view adapter: those of training, and the path."""


@dataclass(frozen=True)
class GDPASettings(HeadSettings):
    """Options of GDPA that the paper's text leaves open.

    Attributes:
        on: Input of the weighting: "features" for the global features of the paths, whose lengths count; "logits" for
            unit features, and by that the cosines of each path.
        gate: "scalar" for one pair of weights for a shape; "channel" for one for each of the D channels.
        source: "input" for gates that depend on the shape; "free" for parameters, the same for all shapes.
        shared: Use one aggregator for both paths.
        lean: Offset on the gate logit of the depth path; above 0 that path counts for more. Both paths explain the
            examples that they were trained on, so that training cannot tell which to trust; validation can.

    Examples:
        >>> GDPASettings(gate="channel")
        GDPASettings(on='features', gate='channel', source='input', shared=False, lean=0.0)
    """

    on: Literal["features", "logits"] = "features"
    gate: Literal["scalar", "channel"] = "scalar"
    source: Literal["input", "free"] = "input"
    shared: bool = False
    lean: float = number(0.0, at_least=-100.0)


@dataclass(frozen=True)
class GDPATrainingSettings(NetworkSettings, GDPASettings):
    """Options of the GDPA head: those of training, and those that the paper's text leaves open.

    Attributes:
        path_loss: Weight of the losses of each path by itself beside that of the gated sum; 0 for none. With it the
            paths do not rely on one another, and the gates weigh classifiers that are good alone.
    """

    # Chosen by validation on ModelNet10; the defaults of the module are the paper's words read most plainly.
    on: Literal["features", "logits"] = "logits"
    source: Literal["input", "free"] = "free"
    path_loss: float = number(1.0, at_least=0)


def make_settings(kind: type[AnySettings], owner: str, options: Mapping[str, Any]) -> AnySettings:
    """Make settings from options by name.

    Args:
        kind: Dataclass of the settings.
        owner: Name of the head, for messages.
        options: Values of some of the fields.

    Raises:
        OptionError: If there is no such option, or a value makes no sense.
    """
    known = [option.name for option in fields(kind)]
    if unknown := sorted(set(options) - set(known)):
        raise OptionError(f"{owner} has no option {unknown[0]!r}: expected one of {', '.join(known) or 'none'}")
    try:
        return kind(**options)
    except OptionError as error:
        raise OptionError(f"{owner}: {error}") from None


def _check_number(name: str, value: object, kind: type, above: float | None, at_least: float | None) -> None:
    """Raise OptionError unless a value is a finite number, whole if it is to be, within its limit."""
    limit = f"above {above}" if above is not None else f"of at least {at_least}"
    allowed = (int,) if kind is int else (int, float)
    fits = isinstance(value, allowed) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or (above is not None and value <= above) or (at_least is not None and value < at_least):  # type: ignore[operator]
        raise OptionError(f"{name} is {value!r}: expected {'an integer' if kind is int else 'a number'} {limit}")


def _check_choice(name: str, value: object, allowed: tuple[Any, ...]) -> None:
    """Raise OptionError unless a value is among those allowed; 1 is not True."""
    if type(value) is not type(allowed[0]) or value not in allowed:
        raise OptionError(f"{name} is {value!r}: expected one of {', '.join(map(repr, allowed))}")
