// The host's side of a reconnect link: what your product does when somebody opens one.
//
// Node.js 18 or newer, standard library only. Take `verify`, `authorizeUrl`, `reconnect` and
// `callback` over into your product, and put your own log-in, session, database and pages where
// `Demo` stands. Run as it is, it reads requests from standard input, one JSON object a line
// (docs/link.md).

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createInterface } from "node:readline";

const AUTHORIZE = "https://login.xero.com/identity/connect/authorize";
const TOKEN = "https://identity.xero.com/connect/token";
const CONNECTIONS = "https://api.xero.com/connections";
const STATE_SECONDS = 600;

// The link is not to be followed: malformed, forged or expired.
class Refused extends Error {}

function unbase64(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new Refused("malformed");
  return Buffer.from(text, "base64url");
}

function same(one, other) {
  return one.length === other.length && timingSafeEqual(one, other);
}

// What a token says; it must be ours, for this app, and not ended.
export function verify(token, linkSecrets, clientId, now) {
  const parts = token.split(".");
  if (token.length > 4096 || parts.length !== 3 || parts[0] !== "v1") {
    throw new Refused("malformed");
  }
  const [payload, signature] = [unbase64(parts[1]), unbase64(parts[2])];
  let ours = false;
  for (const secret of linkSecrets) {
    const expected = createHmac("sha256", secret).update(`v1.${parts[1]}`).digest();
    ours = same(expected, signature) || ours;
  }
  if (!ours) throw new Refused("forged");
  const claims = JSON.parse(payload.toString("utf8"));
  if (claims.app !== clientId) throw new Refused("forged");
  if (now >= claims.exp) throw new Refused("expired");
  return claims;
}

// Where Xero asks for the consent: exactly these scopes, with %20 between them.
export function authorizeUrl(clientId, redirectUri, scopes, state, verifier) {
  const query = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: scopes,
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  };
  // Not URLSearchParams: it writes `+` for a space.
  const pair = ([name, value]) => `${name}=${encodeURIComponent(value)}`;
  return `${AUTHORIZE}?${Object.entries(query).map(pair).join("&")}`;
}

// GET reconnect_url. Changes nothing but this session.
export function reconnect(host, session, query) {
  const token = query.token ?? "";
  let claims;
  try {
    claims = verify(token, host.linkSecrets, host.clientId, host.now());
  } catch (why) {
    if (!(why instanceof Refused)) throw why;
    return page(400, `This link cannot be used (${why.message}). Reconnect from your settings.`);
  }
  // The link opens nothing by itself: whoever has it must also be somebody here.
  if (!session.user) {
    const here = `/xero/reconnect?token=${encodeURIComponent(token)}`;
    return redirect(`/log-in?next=${encodeURIComponent(here)}`);
  }
  if (!host.mayAct(session.user, claims)) {
    return page(403, "Your account has nothing to do with this connection.");
  }
  // Ours, for this one session, once: no consent can be attached to another's.
  const state = randomBytes(32).toString("base64url");
  const verifier = randomBytes(64).toString("base64url");
  const until = host.now() + STATE_SECONDS;
  session.consent = { state, verifier, claims, user: session.user, until };
  return redirect(authorizeUrl(host.clientId, host.redirectUri, claims.scopes, state, verifier));
}

// GET redirect_uri: where Xero sends the person back to.
export async function callback(host, session, query) {
  const consent = session.consent;
  delete session.consent;
  if (
    !consent ||
    !same(Buffer.from(consent.state), Buffer.from(query.state ?? "")) ||
    consent.user !== session.user ||
    host.now() >= consent.until
  ) {
    return page(400, "This answer belongs to no question of ours. Please start again.");
  }
  if (query.error === "access_denied") {
    return page(200, "You did not agree, and nothing has changed. You can come back any time.");
  }
  if (query.error || !query.code) {
    return page(502, "Xero could not ask you. We are looking into it.");
  }
  const token = await host.exchange(query.code, consent.verifier);
  const { person, held } = read(token.access_token);
  // Scopes add up: the broad ones are still there, and that is no error. What was asked for
  // has to be there.
  if (consent.claims.scopes.split(" ").some((scope) => !held.includes(scope))) {
    return page(200, "Xero did not grant all that is needed. Please agree to all of it.");
  }
  // One consent is good for every organisation of the person: every row of theirs gets the
  // new token. A colleague's consent is a grant of its own, with connection ids of its own.
  const list = await host.connections(token.access_token);
  const reached = new Map(list.map((one) => [one.tenantId, one.id]));
  const wanted = host.rowsOf(session.user, consent.claims);
  const renewed = host.store(session.user, person, reached, token);
  const left = wanted.filter((row) => !reached.has(row.tenant_id)).map((row) => row.tenant_name);
  if (left.length > 0) {
    return page(200, `Still to be connected: ${left.join(", ")}. Open the link again.`);
  }
  return page(200, `Reconnected: ${renewed}.`);
}

// Whose token it is, and its scopes. It came from Xero over TLS: no need to check it.
function read(accessToken) {
  const claims = JSON.parse(unbase64(accessToken.split(".")[1]).toString("utf8"));
  const held = typeof claims.scope === "string" ? claims.scope.split(/\s+/) : claims.scope;
  return { person: claims.xero_userid, held };
}

// The token for a code. Never log what comes back.
export async function exchangeAtXero(clientId, clientSecret, redirectUri, code, verifier) {
  const headers = {};
  if (clientSecret) { // an app of the PKCE kind has none
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64");
    headers.Authorization = `Basic ${basic}`;
  }
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: clientId,
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  });
  const signal = AbortSignal.timeout(15_000);
  const answer = await fetch(TOKEN, { method: "POST", headers, body, signal });
  if (!answer.ok) throw new Error(`Xero answered ${answer.status}`);
  return answer.json();
}

export async function connectionsAtXero(accessToken) {
  const headers = { Authorization: `Bearer ${accessToken}` };
  const answer = await fetch(CONNECTIONS, { headers, signal: AbortSignal.timeout(15_000) });
  if (!answer.ok) throw new Error(`Xero answered ${answer.status}`);
  return answer.json();
}

const redirect = (location) => ({ status: 302, location });
const page = (status, text) => ({ status, text });

// Stands for your product: its settings, its users, its stored connections, and Xero.
class Demo {
  constructor(setup) {
    this.clientId = setup.client_id;
    this.redirectUri = setup.redirect_uri;
    this.linkSecrets = setup.link_secrets;
    this.time = setup.now;
    this.accounts = setup.accounts; // user to account
    this.rows = setup.rows; // tenant_id, tenant_name, account, xero_user_id, …
    this.xero = {};
    this.sessions = new Map();
  }

  now() {
    return this.time;
  }

  // The rows of one grant that this user's account owns.
  rowsOf(user, claims) {
    const [key, id] = claims.tenant ? ["tenant_id", claims.tenant] : ["xero_user_id", claims.grant];
    return this.rows.filter((row) => row.account === this.accounts[user] && row[key] === id);
  }

  mayAct(user, claims) {
    return this.rowsOf(user, claims).length > 0;
  }

  async exchange(code, verifier) {
    return this.xero.token; // exchangeAtXero(…)
  }

  async connections(accessToken) {
    return this.xero.connections; // connectionsAtXero(accessToken)
  }

  // In one transaction, and never a tenant that the account does not have already.
  store(user, person, reached, token) {
    let renewed = 0;
    for (const row of this.rows) {
      const mine = row.account === this.accounts[user] || row.xero_user_id === person;
      if (mine && reached.has(row.tenant_id)) {
        row.connection_id = reached.get(row.tenant_id);
        row.xero_user_id = person;
        row.access_token = token.access_token;
        row.refresh_token = token.refresh_token;
        renewed += 1;
      }
    }
    return renewed;
  }

  async answer(request) {
    const session = this.sessions.get(request.session) ?? {};
    this.sessions.set(request.session, session);
    if ("log_in" in request) {
      session.user = request.log_in;
      return {};
    }
    if ("now" in request) {
      this.time = request.now;
      return {};
    }
    if ("xero" in request) {
      this.xero = request.xero;
      return {};
    }
    if (request.path === "/rows") return { rows: this.rows };
    const handler = { "/xero/reconnect": reconnect, "/xero/callback": callback }[request.path];
    return handler(this, session, request.query);
  }
}

let demo;
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (demo === undefined) demo = new Demo(request);
  else console.log(JSON.stringify(await demo.answer(request)));
}
