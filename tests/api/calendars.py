"""A reader of iCalendar written apart from the writer (RFC 5545, 3.1 to 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Component:
    """A component: properties by name, components within."""

    name: str
    properties: dict[str, str] = field(default_factory=dict)
    inside: list[Component] = field(default_factory=list)

    def named(self, name: str) -> list[Component]:
        """The components of that name within."""
        return [one for one in self.inside if one.name == name]


def read_calendar(text: str) -> Component:
    """Unfold the lines, and nest them; each component must end, each line be short."""
    assert text.endswith("\r\n")
    raw = text[:-2].split("\r\n")
    assert max(len(line.encode()) for line in raw) <= 75
    lines: list[str] = []
    for line in raw:
        if line[:1] in {" ", "\t"}:
            lines[-1] += line[1:]
        else:
            lines.append(line)
    stack: list[Component] = []
    for line in lines:
        head, value = _split(line)
        name = head.split(";")[0].upper()
        if name == "BEGIN":
            stack.append(Component(value))
        elif name == "END":
            done = stack.pop()
            assert done.name == value
            if not stack:
                return done
            stack[-1].inside.append(done)
        else:
            stack[-1].properties[name] = _plain(value)
    raise AssertionError("the calendar does not end")


def _split(line: str) -> tuple[str, str]:
    quoted = False
    for index, letter in enumerate(line):
        quoted ^= letter == '"'
        if letter == ":" and not quoted:
            return line[:index], line[index + 1 :]
    raise AssertionError(f"no value in {line!r}")


def _plain(value: str) -> str:
    out, escaped = "", False
    for letter in value:
        if escaped:
            out += "\n" if letter in "nN" else letter
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            out += letter
    return out
