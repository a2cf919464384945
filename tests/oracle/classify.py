#!/usr/bin/env python3
"""A second opinion: classifies an inventory by the written rules, without the worker.

Reads a CSV file with the inventory's columns and prints one JSON object with the counts
of a progress event. It shares no code and no data with the worker, and it holds the
whole file in memory; where the two disagree, one of them has misread the rules.

    classify.py examples/connections.csv --client-id 0123456789ABCDEF0123456789ABCDEF \
        --required offline_access accounting.settings accounting.invoices accounting.contacts

Python 3.11, standard library only. `--explain` adds a JSON line for each connection and
each bad row on standard error. The column map, `ignore_refresh_tokens`, exemptions and
removals are no part of it.
"""

import argparse
import base64
import csv
import io
import json
import re
import sys
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone

# ---- scopes -------------------------------------------------------------------------


def with_read(names):
    return {form for name in names for form in (name, name + ".read")}


BROAD = {"accounting.transactions", "accounting.transactions.read", "accounting.reports.read"}
GONE_GRANULAR = with_read(["accounting.classicexpenses"])
GRANULAR = (
    with_read(
        [
            "accounting.invoices",
            "accounting.payments",
            "accounting.banktransactions",
            "accounting.manualjournals",
        ]
    )
    | {
        f"accounting.reports.{report}.read"
        for report in (
            "aged balancesheet banksummary budgetsummary executivesummary profitandloss "
            "trialbalance taxreports"
        ).split()
    }
    | GONE_GRANULAR
)
UNCHANGED = (
    with_read(["accounting.settings", "accounting.contacts", "accounting.attachments"])
    | {"accounting.reports.tenninetynine.read", "accounting.journals.read", "accounting.budgets.read"}
    | with_read(f"payroll.{part}" for part in "employees payruns payslip timesheets settings".split())
    | with_read(["files", "assets", "projects"])
    | {"paymentservices", "bankfeeds", "einvoicing"}
    | {
        f"finance.{part}.read"
        for part in "accountingactivity cashvalidation statements bankstatementsplus".split()
    }
    | with_read(f"practicemanager.{part}" for part in "job client staff time".split())
)
WITHDRAWN = {"accounting.reports.bankstatement.read", "practicemanager"}
IDENTITY = {"openid", "profile", "email", "offline_access"}
NON_TENANTED = {"app.connections", "marketplace.billing"}
KNOWN = BROAD | GRANULAR | UNCHANGED | WITHDRAWN | IDENTITY | NON_TENANTED

# White space as Unicode has it (the property White_Space), then the zero-width ones.
SPACE = (
    "\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    "\u180e\u200b-\u200d\u2060\ufeff"
)
SEPARATOR = re.compile(f"(?:[{SPACE},+]|%20)+")
ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def words(text):
    """The words of a scope text in any of the notations that hosts store."""
    text = text.strip("\ufeff \t\r\n")
    if text[:1] in ("[", '"'):
        try:
            return words_of_json(json.loads(text))
        except (ValueError, RecursionError):
            pass
    if text.startswith("{") and text.endswith("}"):
        text = re.sub(r'(^|,)\s*"((?:[^"\\]|\\.)*)"\s*(?=,|$)', r"\1\2", text[1:-1])
    return [word.translate(ASCII_LOWER) for word in SEPARATOR.split(text) if word]


def words_of_json(value):
    if isinstance(value, str):
        return words(value)
    if isinstance(value, list):
        return [word for item in value for word in words_of_json(item)]
    return []


def known(found):
    return frozenset(word for word in found if word in KNOWN)


def class_of(scopes):
    match bool(scopes & BROAD), bool(scopes & GRANULAR):
        case True, False:
            return "broad_only"
        case True, True:
            return "mixed"
        case False, True:
            return "granular"
    return "unaffected"


def is_ready(scopes, required):
    """Class first: neither what is unaffected nor what is unknown is ready."""
    if scopes is None or class_of(scopes) == "unaffected":
        return False
    held = scopes | {scope + ".read" for scope in scopes if not scope.endswith(".read")}
    return not (required - IDENTITY - held)


# ---- one row ------------------------------------------------------------------------

COLUMNS = (
    "tenant_id connection_id tenant_name tenant_type xero_user_id email name locale time_zone "
    "country account_id scopes access_token token_response evidence_at auth_event_id flow "
    "connected_at updated_at last_used_at required_scopes"
).split()
UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Good enough for telling an address from a remark; letters beyond ASCII are welcome.
LABEL = r"[^\W_](?:[\w-]*[^\W_])?"
ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
ADDRESS = re.compile(rf"{ATOM}(?:\.{ATOM})*@{LABEL}(?:\.{LABEL})+")
DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))?"
)


class Bad(Exception):
    """The row cannot be used; the text says why."""


def uuid(text, field):
    if not text:
        return None
    plain = text.removeprefix("urn:uuid:")
    if plain.startswith("{") and plain.endswith("}"):
        plain = plain[1:-1]
    if not UUID.fullmatch(plain):
        raise Bad(f"{field}: broken UUID")
    return plain.replace("-", "").lower()


def instant(text):
    """RFC 3339, Xero's form, SQL's; None for what is none of them."""
    match = DATE.fullmatch(text)
    if not match:
        return None
    try:
        at = datetime(*map(int, match.group(1, 2, 3, 4, 5, 6)), tzinfo=timezone.utc)
    except ValueError:
        return None
    at += timedelta(microseconds=int((match.group(7) or "0")[:6].ljust(6, "0")))
    if match.group(9):
        offset = timedelta(hours=int(match.group(10)), minutes=int(match.group(11)))
        at = at - offset if match.group(9) == "+" else at + offset
    return at


def claims_of(token, field):
    parts = token.split(".")
    if len(parts) != 3:
        raise Bad(f"{field}: broken token")
    try:
        payload = parts[1].rstrip("=")
        raw = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
        claims = json.loads(raw)
    except ValueError:
        raise Bad(f"{field}: broken token") from None
    if not isinstance(claims, dict):
        raise Bad(f"{field}: broken token")
    return claims


class Row:
    def __init__(self, fields, client_id):
        get = fields.get
        self.tenant = uuid(get("tenant_id", ""), "tenant_id")
        if self.tenant is None:
            raise Bad("tenant_id: no UUID")
        self.connection = uuid(get("connection_id", ""), "connection_id")
        if self.connection == self.tenant:
            raise Bad("connection_id: the tenant's id")
        column_user = uuid(get("xero_user_id", ""), "xero_user_id")
        self.auth_event = uuid(get("auth_event_id", ""), "auth_event_id")
        self.flow = get("flow", "").lower()
        if self.flow not in ("", "web", "pkce", "custom", "oauth1"):
            raise Bad("flow: unknown")
        self.required = self.own_requirement(get("required_scopes", ""))
        self.reachable = bool(ADDRESS.fullmatch(get("email", "").strip()))

        self.evidence = []
        self.doubt = False
        self.token_users = set()
        noted = instant(get("evidence_at", ""))
        self.read(words(get("scopes", "")), noted)
        if token := get("access_token", ""):
            self.read_token(claims_of(token, "access_token"), client_id)
        if text := get("token_response", ""):
            try:
                response = json.loads(text)
            except ValueError:
                response = None
            if not isinstance(response, dict):
                raise Bad("token_response: no JSON object")
            if response.get("refresh_token"):
                raise Bad("token_response: carries a refresh token")
            self.read(words_of_json(response.get("scope")), noted)
            if token := response.get("access_token"):
                self.read_token(claims_of(str(token), "token_response"), client_id)

        users = self.token_users | ({column_user} if column_user else set())
        self.doubt |= len(users) > 1
        self.user = column_user or min(self.token_users, default=None)

    @staticmethod
    def own_requirement(text):
        found = set(words(text))
        may_be_asked = (GRANULAR - GONE_GRANULAR) | UNCHANGED | IDENTITY
        if found - may_be_asked:
            raise Bad("required_scopes: broad, withdrawn or unknown scope")
        return frozenset(found) or None

    def read(self, found, at):
        if scopes := known(found):
            self.evidence.append((scopes, at))

    def read_token(self, claims, client_id):
        at = next((claims[key] for key in ("auth_time", "iat") if is_time(claims.get(key))), None)
        at = None if at is None else datetime.fromtimestamp(int(at), timezone.utc)
        self.read(words_of_json(claims.get("scope")), at)
        if user := claims.get("xero_userid"):
            self.token_users.add(uuid(str(user), "access_token"))
        if self.auth_event is None and claims.get("authentication_event_id"):
            self.auth_event = uuid(str(claims["authentication_event_id"]), "access_token")
        client = claims.get("client_id")
        if client is not None and str(client).lower() != client_id.lower():
            self.doubt = True

    def key(self):
        return self.connection or (self.tenant, self.user)

    def facts(self, fields):
        """All that is not about the person, by its meaning: spelling makes no difference."""
        texts = [fields.get(name, "").strip() for name in ("tenant_name", "tenant_type", "account_id")]
        dates = [instant(fields.get(name, "")) for name in ("connected_at", "updated_at", "last_used_at")]
        return (
            self.tenant, self.connection, self.user, self.doubt, tuple(self.evidence), self.flow,
            self.required, self.auth_event, *texts, *dates,
        )  # fmt: skip

    def grant(self):
        return self.user or self.key()


def is_time(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# ---- grants and connections ---------------------------------------------------------


def settle(evidence):
    """The set that counts, or None. The newest dated readings stand beside those without a
    date; since scopes only add up, the one that contains all others of these wins."""
    dated = [at for _, at in evidence if at is not None]
    newest = max(dated, default=None)
    pool = {scopes for scopes, at in evidence if at is None or at == newest}
    return next((scopes for scopes in pool if all(scopes >= other for other in pool)), None)


def parse(path, client_id):
    """Good rows, and the bad ones as (record number, reason)."""
    with open(path, "rb") as file:
        # Broken UTF-8 spoils its own row only; the marks are found again below.
        text = file.read().decode("utf-8-sig", errors="surrogateescape")
    csv.field_size_limit(1 << 24)
    records = list(csv.reader(io.StringIO(text, newline="")))
    header = records[0] if records else []
    if "tenant_id" not in header:
        raise SystemExit(f"{path}: no column tenant_id")
    bad, read = [], []
    for number, record in enumerate(records[1:], start=2):
        if not record:
            continue
        fields = {name: value for name, value in zip(header, record) if name in COLUMNS}
        try:
            if len(record) != len(header):
                raise Bad(f"{len(record)} fields instead of {len(header)}")
            if any("\udc80" <= letter <= "\udcff" for value in record for letter in value):
                raise Bad("broken UTF-8")
            read.append((number, fields, Row(fields, client_id)))
        except Bad as reason:
            bad.append((number, str(reason)))

    # Rows of one connection may differ in the person, else none of them can be believed.
    facts = defaultdict(set)
    for _, fields, row in read:
        facts[row.key()].add(row.facts(fields))
    good = []
    for number, _, row in read:
        if len(facts[row.key()]) == 1:
            good.append(row)
        else:
            bad.append((number, "rows of one connection differ"))
    return good, bad


def count(good, bad, required, explain):
    connections, grants = {}, defaultdict(list)
    for row in good:
        connections.setdefault(row.key(), row)
        grants[row.grant()].append(row)

    settled = {}
    for grant, rows in grants.items():
        doubted = any(row.doubt for row in rows)
        settled[grant] = None if doubted else settle([e for row in rows for e in row.evidence])

    def needs(row):
        return required if row.required is None else row.required

    ready = {key: is_ready(settled[row.grant()], needs(row)) for key, row in connections.items()}
    whole = {
        grant: settled[grant] is not None and all(ready[row.key()] for row in rows)
        for grant, rows in grants.items()
    }
    renewed = defaultdict(set)
    for grant, rows in grants.items():
        if whole[grant]:
            for row in rows:
                renewed[row.tenant].add(grant)

    names = (
        "connections broad_only mixed granular unaffected unknown ready awaiting covered manual "
        "unreachable token_behind bad_rows"
    ).split()
    counts = Counter(dict.fromkeys(names, 0), connections=len(connections), bad_rows=len(bad))
    for key, row in connections.items():
        scopes, grant = settled[row.grant()], row.grant()
        name = "unknown" if scopes is None else class_of(scopes)
        marks = [name]
        if ready[key]:
            marks.append("ready")
            own = settle(row.evidence)
            if row.evidence and not is_ready(own, needs(row)):
                marks.append("token_behind")
        elif name not in ("unknown", "unaffected"):
            marks.append("awaiting")
            if renewed[row.tenant] - {grant}:
                marks.append("covered")
            if row.flow in ("custom", "oauth1"):
                marks.append("manual")
            if not any(other.reachable for other in grants[grant]):
                marks.append("unreachable")
        counts.update(marks)
        if explain:
            print(json.dumps({"connection": str(key), "is": marks}), file=sys.stderr)
    if explain:
        for number, reason in sorted(bad):
            print(json.dumps({"record": number, "bad": reason}), file=sys.stderr)
    return {name: counts[name] for name in names}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--client-id", default="0123456789ABCDEF0123456789ABCDEF")
    parser.add_argument(
        "--required",
        nargs="+",
        default=["offline_access", "accounting.settings", "accounting.invoices", "accounting.contacts"],
    )
    parser.add_argument("--explain", action="store_true")
    args = parser.parse_args()
    good, bad = parse(args.file, args.client_id)
    required = frozenset(words(" ".join(args.required)))
    print(json.dumps(count(good, bad, required, args.explain)))


if __name__ == "__main__":
    main()
