"""The SQL: tables, migrations, guarded writes. Speaks model values upward, rows to nobody."""
