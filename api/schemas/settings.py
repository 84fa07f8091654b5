"""What is set, and what each setting means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from api.schemas.base import Answer, Column, Listing

if TYPE_CHECKING:
    from scheduler.settings import Settings


class Setting(Answer):
    """One setting as it is in force."""

    name: str
    value: str
    default: str
    meaning: str

    columns: ClassVar = (
        Column("setting", "name"),
        Column("in force", lambda row: row.value + ("" if row.value == row.default else " *")),
        Column("meaning", "meaning", text=True),
    )


class SettingsInForce(Listing):
    """Every setting."""

    settings: list[Setting]

    noun: ClassVar = "setting"
    title: ClassVar = " (* not the default)"

    @classmethod
    def shown(cls, settings: Settings, meanings: Mapping[str, str]) -> Self:
        """Return every setting as somebody would write it."""
        from api.settings_page import default_of, written

        return cls.of(
            {
                "name": name,
                "value": written(getattr(settings, name)),
                "default": default_of(field),
                "meaning": meanings[name],
            }
            for name, field in type(settings).model_fields.items()
        )
