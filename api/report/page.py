"""A report in Markdown as a page that a browser shows, with nothing fetched from elsewhere."""

from __future__ import annotations

from html import escape

from markdown_it import MarkdownIt

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file:;\
 style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 1rem; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; }}
th, td {{ padding: 0.25rem 0.75rem; border-bottom: 1px solid #8886; text-align: left; }}
td[style*="right"], th[style*="right"] {{ font-variant-numeric: tabular-nums; }}
img {{ max-width: 100%; height: auto; background: white; }}
</style>
</head>
<body>
{body}</body>
</html>
"""


def as_page(markdown: str, title: str) -> str:
    """Return the page; HTML within the Markdown is shown as text."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return _PAGE.format(title=escape(title), body=body)
