"""Text that can be shown anywhere."""

import re

# what XML forbids or a terminal obeys, halves of surrogate pairs, and what reorders a line
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """Text that may stand in HTML, SVG, Markdown, CSV and on a terminal.

    Names of classes and models come from files, and may hold anything. Line breaks and tabs
    stay, other control characters become U+FFFD, as do surrogates, which UTF-8 cannot hold, and
    marks that turn the direction of what follows.

    Example:
        >>> printable("a\\x1b[2J\\r\\nb") == "a\\ufffd[2J\\nb"
        True
    """
    return _UNPRINTABLE.sub("\ufffd", re.sub(r"\r\n?", "\n", text))
