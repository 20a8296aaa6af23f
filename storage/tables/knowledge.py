"""What officers' answers have taught the bot."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.tables.columns import key_column, text_column, time_column, to_column


class KeptAnswer(SQLModel, table=True):
    """An officer's answer to a question that is given again, until it expires. `grid_id` None: in the whole district.

    The question is kept without long numbers and without the person who asked it.
    """

    __tablename__ = "kept_answer"

    id: int | None = Field(default=None, sa_column=key_column())
    case_id: int = Field(sa_column=to_column("cases", nullable=False, index=True))
    grid_id: int | None = Field(default=None, sa_column=to_column("grid"))
    officer_id: int = Field(sa_column=to_column("officer", nullable=False))
    question: str = Field(sa_column=text_column())
    body: str = Field(sa_column=text_column())
    source: str
    kept_at: datetime = Field(sa_column=time_column(nullable=False))
    expires_at: datetime = Field(sa_column=time_column(nullable=False))
    dropped_at: datetime | None = Field(default=None, sa_column=time_column())
