"""Progress callbacks: functions that pass an iterable through and show how far it is."""

from collections.abc import Callable, Iterable
from typing import Any

#: Takes an iterable and its length; gives the same items back.
Progress = Callable[[Iterable[Any], int], Iterable[Any]]
#: Takes an iterable, a description of the work, and the length; gives the same items back.
TitledProgress = Callable[[Iterable[Any], str, int], Iterable[Any]]
