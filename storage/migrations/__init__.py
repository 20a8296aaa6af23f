"""The history of the schema. `HEAD` is the newest revision; a start that finds it in the database does not even load Alembic.

After a change to storage/tables:  python -m storage.migrations new "what changed"
which compares the tables with a fresh database, writes versions/NNNN_what_changed.py and prints it for reading. Set `HEAD` to it.
There is no way down: a revision that went wrong is mended by the next one, or by restoring the backup.
A revision that others may have is never edited.
"""

HEAD = "0024"
