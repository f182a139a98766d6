"""Numbers in text, compiled: correctly rounded doubles, integers, and what a line holds."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Int = NDArray[np.int64]

#: Powers of ten that doubles hold exactly.
_POWERS = 10.0 ** np.arange(23)
#: Digits that always fit into 64 bits.
_DIGITS = 19
_EXACT = 2**53
#: Veltkamp's constant: splits a double into halves whose products are exact.
_SPLITTER = 134217729.0
#: Distance from the middle between two doubles, in units of half their distance, below which a quotient is not trusted.
_DOUBT = 1e-9


@numba.njit(cache=True, nogil=True, inline="always")
def _is_space(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or 9 <= byte <= 13


@numba.njit(cache=True, nogil=True)
def count_words(text: Bytes) -> int:
    """Return the number of words between white space."""
    words = 0
    outside = True
    for byte in text:
        space = _is_space(byte)
        words += outside and not space
        outside = space
    return words


@numba.njit(cache=True, nogil=True)
def scan_numbers(text: Bytes, numbers: NDArray[np.float64], odd: Int) -> int:
    """Read decimal numbers, rounded as C's ``strtod`` rounds.

    Args:
        text: Text.
        numbers: Array [W], one number for each word, to be filled.
        odd: Array [O, 2] for the bounds of words that are left to the caller: no plain decimal numbers, or more digits
            than are read here. Their numbers are NaN.

    Returns:
        Number of rows of ``odd`` that are filled; -1 if they are too few.
    """
    place, word, odds = 0, 0, 0
    end = text.size
    while True:
        while place < end and _is_space(text[place]):
            place += 1
        if place == end:
            return odds
        start = place
        numbers[word], place = _read_number(text, place, end)
        if place < 0:
            if odds == len(odd):
                return -1
            place = _skip_word(text, start, end)
            odd[odds, 0], odd[odds, 1] = start, place
            odds += 1
        word += 1


@numba.njit(cache=True, nogil=True)
def scan_rows(text: Bytes, starts: Int, ends: Int, numbers: NDArray[np.float64], odd: Int) -> int:
    """Read lines of equally many numbers, after which nothing but a comment stands.

    Args:
        text: Text.
        starts: Offsets of the numbers of each line, [N].
        ends: Offsets of the ends of lines, [N].
        numbers: Array [N, C] to be filled.
        odd: Array [O, 2], as for ``scan_numbers``.

    Returns:
        Number of rows of ``odd`` that are filled; -1 if they are too few or a line has another number of words.
    """
    odds = 0
    for row in range(len(starts)):
        odds = _read_row(text, starts[row], ends[row], numbers[row], odd, odds)
        if odds < 0:
            return -1
    return odds


@numba.njit(cache=True, nogil=True, inline="always")
def _read_row(text, place, end, numbers, odd, odds):  # type: ignore[no-untyped-def]
    """Fill a row with the numbers of a line; return the number of odd words so far, -1 if the line holds else."""
    for column in range(len(numbers)):
        while place < end and _is_space(text[place]):
            place += 1
        start = place
        numbers[column], place = _read_number(text, place, end)
        if place < 0:
            place = _skip_word(text, start, end)
            if odds == len(odd) or place == start or text[start] == 35:
                return -1
            odd[odds, 0], odd[odds, 1] = start, place
            odds += 1
    while place < end and _is_space(text[place]):
        place += 1
    return odds if place == end or text[place] == 35 else -1


@numba.njit(cache=True, nogil=True)
def scan_corners(text: Bytes, starts: Int, ends: Int, corners: Int, sizes: Int) -> int:
    """Read the corners of OBJ's faces: ``v``, ``v/vt``, ``v//vn`` or ``v/vt/vn`` each.

    Args:
        text: Text.
        starts: Offsets of the corners of each line, [P].
        ends: Offsets of the ends of lines, [P].
        corners: Array [C, 2] for vertex and texture numbers, 0 for none; C is no smaller than the number of words.
        sizes: Array [P] for the number of corners of each line.

    Returns:
        Number of corners; -1 if a line holds anything else.
    """
    count = 0
    for row in range(len(starts)):
        place, end = starts[row], ends[row]
        first = count
        while True:
            while place < end and _is_space(text[place]):
                place += 1
            if place == end or text[place] == 35:
                break
            vertex, place = _read_integer(text, place, end)
            texture = 0
            slashes = 0
            while 0 <= place < end and text[place] == 47 and slashes < 2:
                place += 1
                slashes += 1
                if slashes == 1 and place < end and text[place] == 47:
                    slashes = 3  # v//vn
                    place += 1
                if slashes == 1:
                    texture, place = _read_integer(text, place, end)
                else:
                    _, place = _read_integer(text, place, end)
            if place < 0 or (place < end and not _is_space(text[place])):
                return -1
            corners[count, 0], corners[count, 1] = vertex, texture
            count += 1
        sizes[row] = count - first
    return count


@numba.njit(cache=True, nogil=True)
def _skip_word(text, place, end):  # type: ignore[no-untyped-def]
    while place < end and not _is_space(text[place]):
        place += 1
    return place


@numba.njit(cache=True, nogil=True, inline="always")
def _read_integer(text, place, end):  # type: ignore[no-untyped-def]
    """Return an integer and where it ends; -1 if there is none, or one of more than 18 digits."""
    negative = place < end and text[place] == 45
    if negative or (place < end and text[place] == 43):
        place += 1
    first = place
    number = np.int64(0)
    while place < end and np.uint8(text[place] - 48) < 10:
        number = number * 10 + np.int64(text[place] - 48)
        place += 1
    if not 0 < place - first < _DIGITS:
        place = -1
    return -number if negative else number, place


@numba.njit(cache=True, nogil=True, inline="always")
def _read_number(text, place, end):  # type: ignore[no-untyped-def]
    """Return the number at a place that is no white space and where its word ends; NaN and -1 for odd words."""
    negative = place < end and text[place] == 45
    if negative or (place < end and text[place] == 43):
        place += 1
    mantissa = np.uint64(0)
    first = place
    while place < end and np.uint8(text[place] - 48) < 10:
        mantissa = mantissa * np.uint64(10) + np.uint64(text[place] - 48)
        place += 1
    digits = place - first
    power = 0
    if place < end and text[place] == 46:
        place += 1
        first = place
        while place < end and np.uint8(text[place] - 48) < 10:
            mantissa = mantissa * np.uint64(10) + np.uint64(text[place] - 48)
            place += 1
        digits += place - first
        power = first - place
    plain = 0 < digits <= _DIGITS
    if plain and place < end and (text[place] | 32) == 101:
        place += 1
        down = place < end and text[place] == 45
        if down or (place < end and text[place] == 43):
            place += 1
        first = place
        exponent = 0
        while place < end and np.uint8(text[place] - 48) < 10 and place - first < 5:
            exponent = exponent * 10 + (text[place] - 48)
            place += 1
        plain = place > first
        power += -exponent if down else exponent
    value = np.nan
    if plain and (place == end or _is_space(text[place])):
        value = _scale(mantissa, power)
    if value != value:
        place = -1
    return -value if negative else value, place


@numba.njit(cache=True, nogil=True)
def _scale(mantissa, power):  # type: ignore[no-untyped-def]
    """Return mantissa * 10^power as the nearest double, NaN where that is not certain."""
    if mantissa <= _EXACT:  # one rounding of two exact doubles (Clinger 1990)
        if power == 0 or mantissa == 0:
            return np.float64(mantissa)
        if 0 < power <= 22:
            return np.float64(mantissa) * _POWERS[power]
        if -22 <= power < 0:
            return np.float64(mantissa) / _POWERS[-power]
        return np.nan
    if not -22 <= power <= 0:
        return np.nan
    # Quotient and remainder in twice the precision (Dekker 1971).
    high = np.float64(mantissa >> np.uint64(11)) * 2048.0
    low = np.float64(mantissa & np.uint64(2047))
    divisor = _POWERS[-power]
    quotient = high / divisor
    product = quotient * divisor
    part = _SPLITTER * quotient
    q1 = part - (part - quotient)
    q2 = quotient - q1
    part = _SPLITTER * divisor
    d1 = part - (part - divisor)
    d2 = divisor - d1
    error = ((q1 * d1 - product) + q1 * d2 + q2 * d1) + q2 * d2
    rest = ((high - product) - error + low) / divisor
    value = quotient + rest
    # The sum's rounding error, exactly (Knuth's two-sum): half a step of the doubles means a tie.
    virtual = value - quotient
    beyond = (quotient - (value - virtual)) + (rest - virtual)
    step = np.float64(np.spacing(value))
    if abs(abs(beyond) * 2.0 - step) < step * _DOUBT or abs(abs(beyond) * 4.0 - step) < step * _DOUBT:
        return np.nan
    return value


@numba.njit(cache=True, nogil=True)
def scan_integers(text: Bytes, numbers: Int) -> bool:
    """Read one integer for each word into ``numbers`` [W]; False if a word is none, or has more than 18 digits."""
    place, word = 0, 0
    end = text.size
    while True:
        while place < end and _is_space(text[place]):
            place += 1
        if place == end:
            return True
        numbers[word], place = _read_integer(text, place, end)
        if place < 0 or (place < end and not _is_space(text[place])):
            return False
        word += 1


@numba.njit(cache=True, nogil=True)
def scan_vertices(text: Bytes, numbers: NDArray[np.float64], odd: Int) -> tuple[int, int]:
    """Read three numbers behind each word "vertex" of an STL file.

    Args:
        text: Text.
        numbers: Array [N, 3] to be filled.
        odd: Array [O, 2], as for ``scan_numbers``.

    Returns:
        Number of vertices, -1 if one is not three numbers on a line or N is too small; number of rows of ``odd`` that
        are filled.
    """
    place, row, odds = 0, 0, 0
    end = text.size
    while True:
        while place < end and _is_space(text[place]):
            place += 1
        if place == end:
            return row, odds
        start = place
        place = _skip_word(text, place, end)
        if place - start != 6 or (text[start] | 32) != 118 or (text[start + 5] | 32) != 120:  # neither v nor x
            continue
        if row == len(numbers):
            return -1, 0
        stop = place
        while stop < end and text[stop] != 10 and text[stop] != 13:
            stop += 1
        odds = _read_row(text, place, stop, numbers[row], odd, odds)
        if odds < 0:
            return -1, 0
        place = stop
        row += 1
