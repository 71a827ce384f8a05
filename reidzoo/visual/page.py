"""The shell of all pages: one HTML file, its images and style inside, no script, no network."""

from collections.abc import Mapping
from html import escape

# Nothing is loaded, whatever a file name or a setting may contain.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, style: str, body: str) -> str:
    """A whole HTML page.

    Args:
        title: of the window, as plain text.
        style: CSS.
        body: HTML, with everything from outside already escaped.

    >>> "<title>a &lt; b</title>" in page("a < b", "", "<p>text</p>")
    True
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )


def pairs(facts: Mapping[str, str]) -> str:
    """A list of names and values; empty values are left out.

    >>> pairs({"seed": "1", "nothing": ""})
    '<dl><div><dt>seed</dt><dd>1</dd></div></dl>'
    """
    rows = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    return f"<dl>{''.join(rows)}</dl>"
