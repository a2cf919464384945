"""The host's side of a reconnect link: what your product does when somebody opens one.

Python 3, standard library only. Take `verify`, `authorize_url`, `reconnect` and `callback` over
into your product, and put your own log-in, session, database and pages where `Demo` stands.
Run as it is, it reads requests from standard input, one JSON object a line (docs/link.md).
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import sys
import urllib.parse
import urllib.request

AUTHORIZE = "https://login.xero.com/identity/connect/authorize"
TOKEN = "https://identity.xero.com/connect/token"
CONNECTIONS = "https://api.xero.com/connections"
STATE_SECONDS = 600


class Refused(Exception):
    """The link is not to be followed: malformed, forged or expired."""


def unbase64(text):
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise Refused("malformed")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(token, link_secrets, client_id, now):
    """What a token says; it must be ours, for this app, and not ended."""
    parts = token.split(".")
    if len(token) > 4096 or len(parts) != 3 or parts[0] != "v1":
        raise Refused("malformed")
    payload, signature = unbase64(parts[1]), unbase64(parts[2])
    signed = f"v1.{parts[1]}".encode()
    ours = False
    for secret in link_secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
        ours |= hmac.compare_digest(expected, signature)
    if not ours:
        raise Refused("forged")
    claims = json.loads(payload)
    if claims["app"] != client_id:
        raise Refused("forged")
    if now >= claims["exp"]:
        raise Refused("expired")
    return claims


def authorize_url(client_id, redirect_uri, scopes, state, verifier):
    """Where Xero asks for the consent: exactly these scopes, with %20 between them."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scopes,
        "state": state,
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return AUTHORIZE + "?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe="")


def reconnect(host, session, query):
    """GET reconnect_url. Changes nothing but this session."""
    token = query.get("token", "")
    try:
        claims = verify(token, host.link_secrets, host.client_id, host.now())
    except Refused as why:
        return page(400, f"This link cannot be used ({why}). Reconnect from your settings.")
    # The link opens nothing by itself: whoever has it must also be somebody here.
    if "user" not in session:
        here = "/xero/reconnect?" + urllib.parse.urlencode({"token": token})
        return redirect("/log-in?" + urllib.parse.urlencode({"next": here}))
    if not host.may_act(session["user"], claims):
        return page(403, "Your account has nothing to do with this connection.")
    # Ours, for this one session, once: no consent can be attached to another's.
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    session["consent"] = {
        "state": state,
        "verifier": verifier,
        "claims": claims,
        "user": session["user"],
        "until": host.now() + STATE_SECONDS,
    }
    return redirect(
        authorize_url(host.client_id, host.redirect_uri, claims["scopes"], state, verifier)
    )


def callback(host, session, query):
    """GET redirect_uri: where Xero sends the person back to."""
    consent = session.pop("consent", None)
    if (
        consent is None
        or not hmac.compare_digest(consent["state"].encode(), query.get("state", "").encode())
        or consent["user"] != session.get("user")
        or host.now() >= consent["until"]
    ):
        return page(400, "This answer belongs to no question of ours. Please start again.")
    if query.get("error") == "access_denied":
        return page(200, "You did not agree, and nothing has changed. You can come back any time.")
    if "error" in query or "code" not in query:
        return page(502, "Xero could not ask you. We are looking into it.")
    token = host.exchange(query["code"], consent["verifier"])
    person, held = read(token["access_token"])
    # Scopes add up: the broad ones are still there, and that is no error. What was asked for
    # has to be there.
    lacking = [scope for scope in consent["claims"]["scopes"].split(" ") if scope not in held]
    if lacking:
        return page(200, "Xero did not grant all that is needed. Please agree to all of it.")
    # One consent is good for every organisation of the person: every row of theirs gets the
    # new token. A colleague's consent is a grant of its own, with connection ids of its own.
    reached = {one["tenantId"]: one["id"] for one in host.connections(token["access_token"])}
    wanted = host.rows_of(session["user"], consent["claims"])
    renewed = host.store(session["user"], person, reached, token)
    left = [row["tenant_name"] for row in wanted if row["tenant_id"] not in reached]
    if left:
        return page(200, "Still to be connected: " + ", ".join(left) + ". Open the link again.")
    return page(200, f"Reconnected: {renewed}.")


def read(access_token):
    """Whose token it is, and its scopes. It came from Xero over TLS: no need to check it."""
    claims = json.loads(unbase64(access_token.split(".")[1]))
    scopes = claims["scope"]
    return claims["xero_userid"], scopes.split() if isinstance(scopes, str) else scopes


def exchange_at_xero(client_id, client_secret, redirect_uri, code, verifier):
    """The token for a code. Never log what comes back."""
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    request = urllib.request.Request(TOKEN, urllib.parse.urlencode(form).encode())
    if client_secret:  # an app of the PKCE kind has none
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        request.add_header("Authorization", "Basic " + basic)
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.load(answer)


def connections_at_xero(access_token):
    request = urllib.request.Request(CONNECTIONS)
    request.add_header("Authorization", "Bearer " + access_token)
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.load(answer)


def redirect(location):
    return {"status": 302, "location": location}


def page(status, text):
    return {"status": status, "text": text}


class Demo:
    """Stands for your product: its settings, its users, its stored connections, and Xero."""

    def __init__(self, setup):
        self.client_id = setup["client_id"]
        self.redirect_uri = setup["redirect_uri"]
        self.link_secrets = setup["link_secrets"]
        self.time = setup["now"]
        self.accounts = setup["accounts"]  # user to account
        self.rows = setup["rows"]  # tenant_id, tenant_name, account, xero_user_id, …
        self.xero = {}
        self.sessions = {}

    def now(self):
        return self.time

    def rows_of(self, user, claims):
        """The rows of one grant that this user's account owns."""
        key, value = "xero_user_id", claims["grant"]
        if "tenant" in claims:
            key, value = "tenant_id", claims["tenant"]
        account = self.accounts.get(user)
        return [row for row in self.rows if row["account"] == account and row[key] == value]

    def may_act(self, user, claims):
        return bool(self.rows_of(user, claims))

    def exchange(self, code, verifier):
        return self.xero["token"]  # exchange_at_xero(…)

    def connections(self, access_token):
        return self.xero["connections"]  # connections_at_xero(access_token)

    def store(self, user, person, reached, token):
        """In one transaction, and never a tenant that the account does not have already."""
        renewed = 0
        for row in self.rows:
            mine = row["account"] == self.accounts[user] or row["xero_user_id"] == person
            if mine and row["tenant_id"] in reached:
                row["connection_id"] = reached[row["tenant_id"]]
                row["xero_user_id"] = person
                row["access_token"] = token["access_token"]
                row["refresh_token"] = token["refresh_token"]
                renewed += 1
        return renewed

    def answer(self, request):
        session = self.sessions.setdefault(request.get("session"), {})
        if "log_in" in request:
            session["user"] = request["log_in"]
            return {}
        if "now" in request:
            self.time = request["now"]
            return {}
        if "xero" in request:
            self.xero = request["xero"]
            return {}
        if request["path"] == "/rows":
            return {"rows": self.rows}
        handler = {"/xero/reconnect": reconnect, "/xero/callback": callback}[request["path"]]
        return handler(self, session, request["query"])


def main():
    demo = Demo(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        print(json.dumps(demo.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
