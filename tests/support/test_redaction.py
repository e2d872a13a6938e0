"""What a bundle must never hold, in every way that it may be written, and what has to stay readable."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.support.redaction import Redactor

CANARY = "cafe0042-fade-4bad-8bad-0123456789ab"
ACCESSOR = "00000000-0000-0000-0000-000000000002"
KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "\n".join(f"{n:02d}{'Ab3/' * 15}" for n in range(5))
    + "\n-----END PRIVATE KEY-----\n"
)
CERTIFICATE = KEY.replace("PRIVATE KEY", "CERTIFICATE")


@pytest.mark.parametrize(
    "write",
    [
        lambda v: v,
        lambda v: f"x{v}y",
        json.dumps,
        lambda v: quote(v, safe=""),
        lambda v: base64.b64encode(v.encode()).decode(),
        lambda v: json.dumps({"outer": json.dumps({"inner": v})}),
    ],
    ids=["as it is", "inside of a word", "JSON", "percent-encoded", "base64", "JSON in JSON"],
)
def test_a_known_secret_goes_however_it_is_written(write: object) -> None:
    redactor = Redactor({"token agent": CANARY})
    assert callable(write)
    cleaned = redactor.clean(f"before {write(CANARY)} after")
    assert CANARY not in cleaned
    assert "<redacted: token agent>" in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert redactor.counts["token agent"] == 1


@given(st.text(min_size=8).filter(lambda v: len(v.strip()) >= 8 and "redacted" not in v), st.text(), st.text())
def test_no_known_secret_of_any_text_stays(value: str, before: str, after: str) -> None:
    cleaned = Redactor({"k": value}).clean(f"{before}\n{value}\n{after}")
    assert value not in cleaned.replace("<redacted: k>", "")


def test_every_line_of_a_known_key_goes() -> None:
    redactor = Redactor({"server key": KEY})
    for line in KEY.splitlines()[1:-1]:
        assert line not in redactor.clean(f"log: could not parse {line}")


def test_a_token_inside_of_a_longer_secret_goes() -> None:
    redactor = Redactor({"config": json.dumps({"acl": {"tokens": {"agent": CANARY}}})})
    assert CANARY not in redactor.clean(f"using {CANARY}")


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        json.dumps({"key": KEY}),
        KEY.replace("PRIVATE KEY", "EC PRIVATE KEY"),
        KEY.partition("-----END")[0],
        f"Authorization: Bearer {CANARY}",
        f"authorization: Basic {CANARY}",
        f'"X-Consul-Token": ["{CANARY}"]'.replace("[", "").replace("]", ""),
        f"-H 'X-Consul-Token: {CANARY}'",
        f"GET /v1/agent/self?token={CANARY}&pretty",
        f'{{"SecretID": "{CANARY}"}}',
        f'{{\\"SecretID\\": \\"{CANARY}\\"}}',
        f'"initial_metadata": [{{"key": "x-consul-token",\n "value": "{CANARY}"}}]',
        f"password={CANARY}",
        f"password: {CANARY}",
        f"db_password='{CANARY}'",
        f"token: {CANARY}",
        f'"token":"{CANARY}"',
        f"--from-literal=token={CANARY}",
        f'encrypt = "{CANARY}"',
        f"postgres://shop:{CANARY}@db:5432/shop",
        f"x-api-key: {CANARY}",
        f'{{"X-Api-Key":["{CANARY}"]}}',
        f'{{"Authorization":["Bearer {CANARY}"]}}',
        f'{{"header": {{"key": "x-api-key", "value": "{CANARY}"}}}}',
        f"Cookie: a=b; session={CANARY}",
        f'"cookie": "theme=\\"dark\\"; session={CANARY}"',
        f'password: "two words {CANARY}"',
        f"passphrase = 'two words {CANARY}'",
        json.dumps({"data": json.dumps({"password": f'one "word" {CANARY}'})}),
        json.dumps(json.dumps(json.dumps({"password": CANARY}))),
        f"consul acl token list -token {CANARY}",
        f"--db-password {CANARY}",
        f'["--db-password","{CANARY}"]',
        f"psql --password 'two words {CANARY}'",
        json.dumps({"args": ["--token", CANARY, "--db-password", f"two words {CANARY}"]}, indent=1),
        json.dumps({"values": json.dumps({"args": ["--token", CANARY]}, indent=1)}),
        json.dumps({"agent.hcl": f'server = true\nencrypt = "{CANARY}"\n'}),
        json.dumps({"run.sh": f"consul members\\\n--token {CANARY}\n"}),
        "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLWNhbmFyeQ",
    ],
)
def test_what_has_the_form_of_a_secret_goes_though_nobody_knows_it(text: str) -> None:
    redactor = Redactor({})
    cleaned = redactor.clean(f"line before\n{text}\nline after")
    for part in (CANARY, "Ab3/Ab3/", "c2lnbmF0dXJl"):
        assert part not in cleaned
    assert redactor.counts.total() >= 1
    assert cleaned.startswith("line before\n")
    assert cleaned.endswith("line after")


TOKENS = {"initial_management": CANARY, "agent": CANARY, "default": CANARY, "replication": CANARY}
PROVIDER = {"accessor_id": ACCESSOR, "secret_id": CANARY}


@pytest.mark.parametrize(
    "settings",
    [
        json.dumps({"acl": {"enabled": True, "tokens": TOKENS}}),
        json.dumps({"acl": {"tokens": {"managed_service_provider": [PROVIDER], **TOKENS}}}, indent=2),
        "acl {\ntokens {\n" + "".join(f'  {name} = "{value}"\n' for name, value in TOKENS.items()) + "}\n}\n",
        f'acl = {{ tokens = {{ agent = "{CANARY}", default = "two words {CANARY}" }} }}',
    ],
    ids=["JSON", "JSON with lists", "HCL blocks", "HCL on one line"],
)
@pytest.mark.parametrize("depth", range(3))
def test_every_token_in_a_servers_settings_goes(settings: str, depth: int) -> None:
    """No name beside them says what they are; a ConfigMap holds the settings, and a Helm release's values that."""
    text = settings
    for _ in range(depth):
        text = json.dumps({"data": {"server.json": text}}, indent=1)
    redactor = Redactor({})
    cleaned = redactor.clean(text)
    assert CANARY not in cleaned
    assert redactor.counts.total() == settings.count(CANARY)
    assert cleaned.count(ACCESSOR) == settings.count(ACCESSOR)
    for _ in range(depth):
        cleaned = json.loads(cleaned)["data"]["server.json"]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('{"password": "a \\"b\\" c", "user": "bob"}', '{"password": "<redacted: field>", "user": "bob"}'),
        ("set-cookie: session=0123456; Path=/", "set-cookie: <redacted: header>; Path=/"),
        ("cookie: a=1; b=2, and more", "cookie: <redacted: header>, and more"),
        ('"--token","0123-abcd","--verbose"', '"--token","<redacted: argument>","--verbose"'),
        ("-token 0123-abcd -address x", "-token <redacted: argument> -address x"),
    ],
)
def test_what_is_beside_a_secret_stays(text: str, cleaned: str) -> None:
    assert Redactor({}).clean(text) == cleaned


def test_the_cookie_behind_a_known_one_goes() -> None:
    assert CANARY not in Redactor({"k": "0123456789"}).clean(f"cookie: a=0123456789; b={CANARY}")


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE,
        'agent.acl: Error resolving token: error="Error communicating with the ACL Datacenter: No path"',
        "agent.server.replication.acl.token: started ACL Token replication",
        '"secret": {"secretName": "meshkit-ca", "defaultMode": 288}',
        '"secretName": "meshkit-probe-token"',
        '"automountServiceAccountToken": false',
        "spiffe://11111111-2222.consul/ns/default/dc/aks/svc/mesh-probe-aks",
        "https://10.99.1.1:6443/api",
        '{"name": "meshkit-probe-token", "key": "token"}',
        '"token": null, "password": true',
        f"accessor {ACCESSOR}",
        f'"AccessorID": "{ACCESSOR}", "Tokens": 3',
        f'"tokens": {{"enable_token_persistence": true, "provider": [{{"accessor_id": "{ACCESSOR}"}}]}}',
        "--token-file /consul/login/acl-token --password-file=/etc/db",
        '["--token-file", "/consul/login/acl-token", "--secret-name", "shop"]',
        '["--token", "/var/run/secrets/tokens/shop", "--password", "--verbose"]',
        '-token "$CONSUL_HTTP_TOKEN" -token $(TOKEN) -token="$(cat /consul/token)"',
        "the flag --token needs a value, and all tokens {of this kind} are old",
        '{"error": "no password:", "code": 1}, {"error": "no token=", "code": 2}',
        "cookie jar is empty",
        "",
    ],
)
def test_what_helps_and_is_no_secret_stays(text: str) -> None:
    redactor = Redactor({"gossip key": "zzzzzzzzzzzzzzzzzzzzzz", "a short one": "ca"})
    assert redactor.clean(text) == text
    assert redactor.counts.total() == 0


def test_a_certificate_that_is_in_a_secret_stays() -> None:
    assert Redactor({"ca": CERTIFICATE}).clean(CERTIFICATE) == CERTIFICATE


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor({"token": CANARY})
    once = redactor.clean(f"{text}{CANARY}{text}")
    assert redactor.clean(once) == once
