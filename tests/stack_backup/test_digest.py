"""The digest of a table, computed by a real server: what it sees and what it must not see."""

import pytest

from chatwoot_ops.operations.digests import DIGEST
from stack_backup.support import ask

TABLE = "public.zz_digested"
MAKE = f"""
CREATE TABLE {TABLE} (id bigint, name text, at timestamp, facts jsonb, numbers numeric[], raw json, spent interval);
INSERT INTO {TABLE} VALUES
  (1, 'one', '2026-01-01', '{{"a": 1.0}}', '{{1.0}}', '{{"b":1}}', '1 mon'), (2, 'two', NULL, NULL, NULL, NULL, NULL),
  (3, '', '2026-01-01 00:00:00.000001', '{{"a": 1.00}}', '{{1.00}}', '{{"b": 1}}', '30 days');
"""  # noqa: S608 - made of the constant above
SEEN = {
    "a changed character": "UPDATE {t} SET name = 'onf' WHERE id = 1;",
    "a microsecond": "UPDATE {t} SET at = at + interval '1 microsecond' WHERE id = 1;",
    "two rows that swapped a value": (
        "UPDATE {t} SET name = CASE id WHEN 1 THEN 'two' WHEN 2 THEN 'one' END WHERE id < 3;"
    ),
    "an empty text that was nothing": "UPDATE {t} SET name = NULL WHERE id = 3;",
    "a row that is there twice": "INSERT INTO {t} SELECT * FROM {t} WHERE id = 1;",
    "two rows more that are the same": "INSERT INTO {t} SELECT * FROM {t} WHERE id = 1 UNION ALL TABLE {t} LIMIT 2;",
    "a zero at the end, in jsonb": """UPDATE {t} SET facts = '{{"a": 1.00}}' WHERE id = 1;""",
    "a zero at the end, in an array": "UPDATE {t} SET numbers = '{{1.00}}' WHERE id = 1;",
    "a blank in json": """UPDATE {t} SET raw = '{{"b": 1}}' WHERE id = 1;""",
    "30 days for a month": "UPDATE {t} SET spent = '30 days' WHERE id = 1;",
}
NOT_SEEN = {
    "another order of rows": (
        "CREATE TEMP TABLE kept AS TABLE {t}; DELETE FROM {t}; INSERT INTO {t} SELECT * FROM kept ORDER BY id DESC;"
    ),
    "a column that is gone": "ALTER TABLE {t} ADD COLUMN gone int; ALTER TABLE {t} DROP COLUMN gone;",
    "other settings": "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601';",
}


def digested(stack, change=""):
    """The line of the table, after a change that is taken back."""
    lines = ask(stack, f"BEGIN; {MAKE} {change.format(t=TABLE)} {DIGEST} ROLLBACK;")
    return next(line for line in lines if TABLE in line)


@pytest.mark.parametrize("change", SEEN.values(), ids=SEEN)
def test_the_digest_sees(standing, change):
    assert digested(standing, change) != digested(standing)


@pytest.mark.parametrize("change", NOT_SEEN.values(), ids=NOT_SEEN)
def test_the_digest_does_not_depend_on(standing, change):
    assert digested(standing, change) == digested(standing)
