"""How results look in a notebook."""

from html import escape

__all__ = ["as_html"]


def as_html(title: str, text: str) -> str:
    """A title, and lines of text that keep their columns; both are escaped.

    >>> as_html("a < b", "x")
    '<div><b>a &lt; b</b><pre style="line-height:1.3">x</pre></div>'
    """
    return f'<div><b>{escape(title)}</b><pre style="line-height:1.3">{escape(text)}</pre></div>'
