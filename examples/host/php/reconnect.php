<?php
// The host's side of a reconnect link: what your product does when somebody opens one.
//
// PHP 8, standard library only. Take `verify`, `authorize_url`, `reconnect` and `callback` over
// into your product, and put your own log-in, session, database and pages where `Demo` stands.
// Run as it is, it reads requests from standard input, one JSON object a line (docs/link.md).

declare(strict_types=1);

const AUTHORIZE = 'https://login.xero.com/identity/connect/authorize';
const TOKEN = 'https://identity.xero.com/connect/token';
const CONNECTIONS = 'https://api.xero.com/connections';
const STATE_SECONDS = 600;

/** The link is not to be followed: malformed, forged or expired. */
final class Refused extends Exception {}

function base64url(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

function unbase64(string $text): string
{
    if (!preg_match('/\A[A-Za-z0-9_-]*\z/', $text) || strlen($text) % 4 === 1) {
        throw new Refused('malformed');
    }
    return (string) base64_decode(strtr($text, '-_', '+/'));
}

/** What a token says; it must be ours, for this app, and not ended. */
function verify(string $token, array $link_secrets, string $client_id, int $now): array
{
    $parts = explode('.', $token);
    if (strlen($token) > 4096 || count($parts) !== 3 || $parts[0] !== 'v1') {
        throw new Refused('malformed');
    }
    [$payload, $signature] = [unbase64($parts[1]), unbase64($parts[2])];
    $ours = false;
    foreach ($link_secrets as $secret) {
        $expected = hash_hmac('sha256', "v1.$parts[1]", $secret, true);
        $ours = hash_equals($expected, $signature) || $ours;
    }
    if (!$ours) {
        throw new Refused('forged');
    }
    $claims = json_decode($payload, true, 8, JSON_THROW_ON_ERROR);
    if ($claims['app'] !== $client_id) {
        throw new Refused('forged');
    }
    if ($now >= $claims['exp']) {
        throw new Refused('expired');
    }
    return $claims;
}

/** Where Xero asks for the consent: exactly these scopes, with %20 between them. */
function authorize_url(
    string $client_id,
    string $redirect_uri,
    string $scopes,
    string $state,
    string $verifier,
): string {
    $query = [
        'response_type' => 'code',
        'client_id' => $client_id,
        'redirect_uri' => $redirect_uri,
        'scope' => $scopes,
        'state' => $state,
        'code_challenge' => base64url(hash('sha256', $verifier, true)),
        'code_challenge_method' => 'S256',
    ];
    // RFC 3986: the default writes `+` for a space.
    return AUTHORIZE . '?' . http_build_query($query, '', '&', PHP_QUERY_RFC3986);
}

/** GET reconnect_url. Changes nothing but this session. */
function reconnect(Demo $host, array &$session, array $query): array
{
    $token = $query['token'] ?? '';
    try {
        $claims = verify($token, $host->link_secrets, $host->client_id, $host->now());
    } catch (Refused $why) {
        $text = "This link cannot be used ({$why->getMessage()}). Reconnect from your settings.";
        return page(400, $text);
    }
    // The link opens nothing by itself: whoever has it must also be somebody here.
    if (!isset($session['user'])) {
        $here = '/xero/reconnect?token=' . rawurlencode($token);
        return redirect('/log-in?next=' . rawurlencode($here));
    }
    if (!$host->may_act($session['user'], $claims)) {
        return page(403, 'Your account has nothing to do with this connection.');
    }
    // Ours, for this one session, once: no consent can be attached to another's.
    [$state, $verifier] = [base64url(random_bytes(32)), base64url(random_bytes(64))];
    $session['consent'] = [
        'state' => $state,
        'verifier' => $verifier,
        'claims' => $claims,
        'user' => $session['user'],
        'until' => $host->now() + STATE_SECONDS,
    ];
    return redirect(
        authorize_url($host->client_id, $host->redirect_uri, $claims['scopes'], $state, $verifier),
    );
}

/** GET redirect_uri: where Xero sends the person back to. */
function callback(Demo $host, array &$session, array $query): array
{
    $consent = $session['consent'] ?? null;
    unset($session['consent']);
    if (
        $consent === null
        || !hash_equals($consent['state'], $query['state'] ?? '')
        || $consent['user'] !== ($session['user'] ?? null)
        || $host->now() >= $consent['until']
    ) {
        return page(400, 'This answer belongs to no question of ours. Please start again.');
    }
    if (($query['error'] ?? '') === 'access_denied') {
        $text = 'You did not agree, and nothing has changed. You can come back any time.';
        return page(200, $text);
    }
    if (isset($query['error']) || !isset($query['code'])) {
        return page(502, 'Xero could not ask you. We are looking into it.');
    }
    $token = $host->exchange($query['code'], $consent['verifier']);
    [$person, $held] = read_token($token['access_token']);
    // Scopes add up: the broad ones are still there, and that is no error. What was asked for
    // has to be there.
    if (array_diff(explode(' ', $consent['claims']['scopes']), $held) !== []) {
        return page(200, 'Xero did not grant all that is needed. Please agree to all of it.');
    }
    // One consent is good for every organisation of the person: every row of theirs gets the
    // new token. A colleague's consent is a grant of its own, with connection ids of its own.
    $reached = array_column($host->connections($token['access_token']), 'id', 'tenantId');
    $wanted = $host->rows_of($session['user'], $consent['claims']);
    $renewed = $host->store($session['user'], $person, $reached, $token);
    $left = array_filter($wanted, fn (array $row) => !isset($reached[$row['tenant_id']]));
    if ($left !== []) {
        $names = implode(', ', array_column($left, 'tenant_name'));
        return page(200, "Still to be connected: $names. Open the link again.");
    }
    return page(200, "Reconnected: $renewed.");
}

/** Whose token it is, and its scopes. It came from Xero over TLS: no need to check it. */
function read_token(string $access_token): array
{
    $claims = json_decode(unbase64(explode('.', $access_token)[1]), true, 8, JSON_THROW_ON_ERROR);
    $scopes = $claims['scope'];
    return [$claims['xero_userid'], is_string($scopes) ? preg_split('/\s+/', $scopes) : $scopes];
}

/** The token for a code. Never log what comes back. */
function exchange_at_xero(
    string $client_id,
    ?string $client_secret,
    string $redirect_uri,
    string $code,
    string $verifier,
): array {
    $headers = ['Content-Type: application/x-www-form-urlencoded'];
    if ($client_secret !== null) { // an app of the PKCE kind has none
        $headers[] = 'Authorization: Basic ' . base64_encode("$client_id:$client_secret");
    }
    $form = http_build_query([
        'grant_type' => 'authorization_code',
        'client_id' => $client_id,
        'code' => $code,
        'redirect_uri' => $redirect_uri,
        'code_verifier' => $verifier,
    ]);
    return ask(TOKEN, ['method' => 'POST', 'header' => $headers, 'content' => $form]);
}

function connections_at_xero(string $access_token): array
{
    return ask(CONNECTIONS, ['header' => ["Authorization: Bearer $access_token"]]);
}

function ask(string $url, array $http): array
{
    $context = stream_context_create(['http' => $http + ['timeout' => 15]]);
    $answer = @file_get_contents($url, false, $context);
    if ($answer === false) {
        throw new RuntimeException('Xero did not answer as hoped');
    }
    return json_decode($answer, true, 16, JSON_THROW_ON_ERROR);
}

function redirect(string $location): array
{
    return ['status' => 302, 'location' => $location];
}

function page(int $status, string $text): array
{
    return ['status' => $status, 'text' => $text];
}

/** Stands for your product: its settings, its users, its stored connections, and Xero. */
final class Demo
{
    public string $client_id;
    public string $redirect_uri;
    public array $link_secrets;
    private int $time;
    private array $accounts; // user to account
    private array $rows; // tenant_id, tenant_name, account, xero_user_id, …
    private array $xero = [];
    private array $sessions = [];

    public function __construct(array $setup)
    {
        $this->client_id = $setup['client_id'];
        $this->redirect_uri = $setup['redirect_uri'];
        $this->link_secrets = $setup['link_secrets'];
        $this->time = $setup['now'];
        $this->accounts = $setup['accounts'];
        $this->rows = $setup['rows'];
    }

    public function now(): int
    {
        return $this->time;
    }

    /** The rows of one grant that this user's account owns. */
    public function rows_of(string $user, array $claims): array
    {
        [$key, $id] = isset($claims['tenant'])
            ? ['tenant_id', $claims['tenant']]
            : ['xero_user_id', $claims['grant']];
        $account = $this->accounts[$user] ?? null;
        return array_values(array_filter(
            $this->rows,
            fn (array $row) => $row['account'] === $account && $row[$key] === $id,
        ));
    }

    public function may_act(string $user, array $claims): bool
    {
        return $this->rows_of($user, $claims) !== [];
    }

    public function exchange(string $code, string $verifier): array
    {
        return $this->xero['token']; // exchange_at_xero(…)
    }

    public function connections(string $access_token): array
    {
        return $this->xero['connections']; // connections_at_xero($access_token)
    }

    /** In one transaction, and never a tenant that the account does not have already. */
    public function store(string $user, string $person, array $reached, array $token): int
    {
        $renewed = 0;
        foreach ($this->rows as &$row) {
            $mine = $row['account'] === $this->accounts[$user] || $row['xero_user_id'] === $person;
            if ($mine && isset($reached[$row['tenant_id']])) {
                $row['connection_id'] = $reached[$row['tenant_id']];
                $row['xero_user_id'] = $person;
                $row['access_token'] = $token['access_token'];
                $row['refresh_token'] = $token['refresh_token'];
                $renewed += 1;
            }
        }
        return $renewed;
    }

    public function answer(array $request): array|object
    {
        $this->sessions[$request['session'] ?? ''] ??= [];
        $session = &$this->sessions[$request['session'] ?? ''];
        if (isset($request['log_in'])) {
            $session['user'] = $request['log_in'];
            return (object) [];
        }
        if (isset($request['now'])) {
            $this->time = $request['now'];
            return (object) [];
        }
        if (isset($request['xero'])) {
            $this->xero = $request['xero'];
            return (object) [];
        }
        return match ($request['path']) {
            '/rows' => ['rows' => $this->rows],
            '/xero/reconnect' => reconnect($this, $session, $request['query']),
            '/xero/callback' => callback($this, $session, $request['query']),
        };
    }
}

$demo = null;
while (($line = fgets(STDIN)) !== false) {
    $request = json_decode($line, true, 16, JSON_THROW_ON_ERROR);
    if ($demo === null) {
        $demo = new Demo($request);
    } else {
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES;
        echo json_encode($demo->answer($request), $flags), "\n";
    }
}
