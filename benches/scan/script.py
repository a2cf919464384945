"""What an engineer would write in an afternoon to count the connections: read the CSV, split
the scopes, classify with sets, upsert by connection id in one transaction.

    script.py sqlite FILE CSV
    script.py postgres URL CSV      with psycopg2 where it is installed, else through psql
"""

import csv
import io
import sqlite3
import subprocess
import sys

BROAD = {
    "accounting.transactions", "accounting.transactions.read",
    "accounting.reports.read",
}
GRANULAR = {
    "accounting.invoices", "accounting.invoices.read", "accounting.payments",
    "accounting.banktransactions", "accounting.manualjournals",
    "accounting.reports.balancesheet.read", "accounting.reports.profitandloss.read",
}
REQUIRED = {"accounting.settings", "accounting.invoices", "accounting.contacts"}

COLUMNS = [
    "connection_id", "tenant_id", "tenant_name", "tenant_type", "xero_user_id", "email", "name",
    "locale", "time_zone", "country", "account_id", "scopes", "evidence_at", "auth_event_id",
    "flow", "connected_at", "updated_at", "last_used_at",
]
ALL = COLUMNS + ["class", "ready"]

TABLE = f"""CREATE TABLE IF NOT EXISTS xero_connections (
    connection_id text PRIMARY KEY, {", ".join(f"{name} text" for name in ALL[1:])})"""
UPDATES = ", ".join(f"{name} = excluded.{name}" for name in ALL[1:])
UPSERT = f"ON CONFLICT (connection_id) DO UPDATE SET {UPDATES}"


def classify(scopes):
    broad, granular = scopes & BROAD, scopes & GRANULAR
    if broad:
        return "mixed" if granular else "broad_only"
    return "granular" if granular else "unaffected"


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            scopes = set(row["scopes"].split())
            ready = "yes" if REQUIRED <= scopes else "no"
            yield [row[name] for name in COLUMNS] + [classify(scopes), ready]


def to_sqlite(file, path):
    db = sqlite3.connect(file)
    db.execute("PRAGMA journal_mode = WAL")
    with db:
        db.execute(TABLE)
        marks = ", ".join("?" * len(ALL))
        names = ", ".join(ALL)
        db.executemany(
            f"INSERT INTO xero_connections ({names}) VALUES ({marks}) {UPSERT}", rows(path)
        )
    db.close()


PREPARE = f"{TABLE}; CREATE TEMPORARY TABLE incoming (LIKE xero_connections)"
MERGE = f"INSERT INTO xero_connections SELECT * FROM incoming {UPSERT}"


def to_postgres(url, path):
    try:
        import psycopg2
    except ImportError:
        return to_psql(url, path)
    db = psycopg2.connect(url)
    with db, db.cursor() as cursor:
        cursor.execute(PREPARE)
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        for number, row in enumerate(rows(path), 1):
            writer.writerow(row)
            if number % 10_000 == 0:
                copy(cursor, buffer)
                buffer = io.StringIO()
                writer = csv.writer(buffer)
        copy(cursor, buffer)
        cursor.execute(MERGE)


def copy(cursor, buffer):
    buffer.seek(0)
    cursor.copy_expert("COPY incoming FROM STDIN (FORMAT csv)", buffer)


def to_psql(url, path):
    psql = subprocess.Popen(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
        stdin=subprocess.PIPE, text=True, encoding="utf-8",
    )
    psql.stdin.write(f"BEGIN;\n{PREPARE};\n\\copy incoming from pstdin (format csv)\n")
    writer = csv.writer(psql.stdin, lineterminator="\n")
    writer.writerows(rows(path))
    psql.stdin.write(f"\\.\n{MERGE};\nCOMMIT;\n")
    psql.stdin.close()
    if psql.wait() != 0:
        sys.exit("psql failed")


if __name__ == "__main__":
    kind, target, path = sys.argv[1:]
    (to_sqlite if kind == "sqlite" else to_postgres)(target, path)
