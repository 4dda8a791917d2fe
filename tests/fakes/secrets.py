"""Secrets: the kinds of them that clusters, logs and people leave about, each with what must not be found again."""

import base64
import json

import yaml

__all__ = ["KINDS", "ORDINARY"]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_P = "Winter2026Planted"  # what somebody chose as a password
_B = _base64(_P)
_BODY = "TUlJRXBBSUJBQUtDQVFFQXBsYW50ZWQwMTIzNDU2Nzg5cGxhbnRlZA"
_PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{_BODY}\n{_BODY}\n-----END RSA PRIVATE KEY-----\n"
_PGP = (
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{_BODY}\n=a1b2\n-----END PGP PRIVATE KEY BLOCK-----\n"
)
_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nTUlJRHB6Q0NBbytnQXdJQkFn\n-----END CERTIFICATE-----\n"
_JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLXBsYW50ZWQ"
_SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cert"}, "data": {"a": _B}, "type": "Opaque"}
_AS_YAML = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: cert\ndata:\n  a: {_B}\n"
_ENV = {"name": "DB_PASSWORD", "value": _P}
_POD = {"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "b:1", "env": [{"name": "PLAIN", "value": _P}]}]}}
_DEPLOYED = {"kind": "Deployment", "metadata": {"annotations": {_LAST_APPLIED: json.dumps(_POD)}}}
_KUBECONFIG = {
    "kind": "Config",
    "users": [
        {"name": "a", "user": {"exec": {"command": "aws", "env": [{"name": "AWS_PROFILE", "value": _P}]}}},
        {"name": "b", "user": {"auth-provider": {"name": "oidc", "config": {"client-secret": _P, "id-token": _P}}}},
        {"name": "c", "user": {"client-key-data": _B, "username": "c", "password": _P}},
        {"name": "d", "user": {"token": _P}},
    ],
}
_DOCKER = {"auths": {"registry.example": {"auth": _base64(f"jdoe:{_P}"), "identitytoken": _P, "email": f"{_P}@x"}}}
_BYTES = " ".join(str(byte) for byte in _P.encode())

KINDS: dict[str, tuple[str, str]] = {
    "bearer token": (f"Authorization: Bearer {_P}0123", _P),
    "bearer token in JSON": (json.dumps({"headers": {"authorization": f"bearer {_P}"}}), _P),
    "bearer token in a header's list": (json.dumps({"Authorization": [f"Bearer {_P}"]}), _P),
    "basic header": (f"Authorization: Basic {_base64('jdoe:' + _P)}", _base64("jdoe:" + _P)[5:20]),
    "basic without a header": (f"sent Basic {_base64('jdoe:' + _P)} along", _base64("jdoe:" + _P)[5:20]),
    "X-Auth-Token": (f"> X-Auth-Token: {_P}", _P),
    "Cookie": (f"Cookie: session={_P}; theme=dark", _P),
    "JWT": (f"the token was {_JWT}, it said", "c2lnbmF0dXJl"),
    "JWT cut before its last part": (f"got {_JWT.rpartition('.')[0]}", "eyJpc3Mi"),
    "JWT cut in its first part": (f"got {_JWT[:30]}", _JWT[6:30]),
    "JWT glued to a word": (f"sa-token_{_JWT}", "c2lnbmF0dXJl"),
    "PEM key": (_PEM, _BODY[5:]),
    "PEM key, escaped": (json.dumps({"log": _PEM}), _BODY[5:]),
    "PEM key, escaped twice": (json.dumps({"log": json.dumps({"a": _PEM})}), _BODY[5:]),
    "PEM key, cut off": (_PEM[:70], _BODY[5:30]),
    "PEM key, base64": (f"tls.key: {_base64(_PEM)}", _base64(_PEM)[40:]),
    "PEM key, base64 twice": (f"said {_base64(_base64(_PEM))}", _base64(_base64(_PEM))[40:]),
    "PEM key, base64, wrapped": (f"x: |\n  {_base64(_PEM)[:64]}\n  {_base64(_PEM)[64:]}\n", _base64(_PEM)[70:]),
    "EC key": (_PEM.replace("RSA", "EC"), _BODY[5:]),
    "PKCS 8 key": (_PEM.replace("RSA ", ""), _BODY[5:]),
    "OpenSSH key": (_PEM.replace("RSA", "OPENSSH"), _BODY[5:]),
    "encrypted key": (_PEM.replace("RSA", "ENCRYPTED"), _BODY[5:]),
    "PGP key": (_PGP, _BODY[5:]),
    "kubeconfig": (yaml.safe_dump(_KUBECONFIG), _P),
    "kubeconfig as JSON": (json.dumps(_KUBECONFIG), _P),
    "kubeconfig exec env": (yaml.safe_dump({"users": _KUBECONFIG["users"][:1]}), _P),
    "kubeconfig auth-provider": (yaml.safe_dump({"users": _KUBECONFIG["users"][1:2]}), _P),
    "client-key-data": (f"    client-key-data: {_B}\n", _B),
    "Secret as JSON": (json.dumps(_SECRET), _B),
    "Secret as pretty JSON": (json.dumps(_SECRET, indent=2), _B),
    "Secret as JSON, cut off": (json.dumps(_SECRET)[:-25], _B[:20]),
    "Secret in a List": (json.dumps({"kind": "List", "items": [_SECRET]}), _B),
    "SecretList": (json.dumps({"kind": "SecretList", "items": [{"data": {"a": _B}}]}), _B),
    "Secret with stringData": (json.dumps({"kind": "Secret", "stringData": {"a": _P}}), _P),
    "Secret in a string in a string": (json.dumps({"a": json.dumps({"b": json.dumps(_SECRET)})}), _B),
    "Secret in an AdmissionReview": (json.dumps({"kind": "AdmissionReview", "request": {"object": _SECRET}}), _B),
    "Secret behind last-applied": (
        json.dumps({**_SECRET, "data": {}, "metadata": {"annotations": {_LAST_APPLIED: json.dumps(_SECRET)}}}),
        _B,
    ),
    "Secret of Helm": (json.dumps({"kind": "Secret", "type": "helm.sh/release.v1", "data": {"release": _B}}), _B),
    "ConfigMap of Helm": (
        json.dumps({"kind": "ConfigMap", "data": {"release": "H4sIAAAAAAAC/" + _BODY + _BODY}}),
        _BODY[5:],
    ),
    "Secret as YAML": (_AS_YAML, _B),
    "Secret as YAML, all in quotes": (f'"kind": "Secret"\n"data":\n  "a": "{_B}"\n', _B),
    "Secret as YAML with a folded value": (f"kind: Secret\nstringData:\n  a: >-\n    {_P}\n    and more\n", _P),
    "Secret as YAML among others": (f"kind: ConfigMap\n---\n{_AS_YAML}---\nkind: Pod\n", _B),
    "Secret as YAML between prose": (f"I got: %nothing\n{_AS_YAML}type: Opaque\n", _B),
    "Secret as flow YAML between prose": (f"I got: %nothing\nkind: Secret\ndata: {{a: {_B}}}\n", _B),
    "Secret as YAML, indented by tabs": (f"kind: Secret\ndata:\n\ta: {_B}\n", _B),
    "Secret as YAML with an alias": (f"a: &x 1\nb: *x\n{_AS_YAML}", _B),
    "Secret as YAML behind a container's prefix": (
        "".join(f"2026-11-28T12:00:00.1Z stderr F {line}\n" for line in _AS_YAML.splitlines()),
        _B,
    ),
    "Secret as YAML behind the journal's prefix": (
        "".join(f"Nov 28 12:00:00 node kubelet[1]: {line}\n" for line in _AS_YAML.splitlines()),
        _B,
    ),
    "Secret as YAML in a ConfigMap": (json.dumps({"kind": "ConfigMap", "data": {"x.yaml": _AS_YAML}}), _B),
    "Secret as YAML in a ConfigMap behind a prefix": (
        "2026-11-28T12:00:00Z stderr F " + json.dumps({"kind": "ConfigMap", "data": {"x": _AS_YAML}}) + "\n",
        _B,
    ),
    "the same, cut off": (
        "2026-11-28T12:00:00Z stderr P " + json.dumps({"kind": "ConfigMap", "data": {"x": _AS_YAML}})[:-3] + "\n",
        _B,
    ),
    "kind: secret": (_AS_YAML.replace("kind: Secret", "kind: secret"), _B),
    "kind: secret as JSON": (json.dumps({**_SECRET, "kind": "secret"}), _B),
    "Secret as Go prints it": (
        f"got &Secret{{Data:map[string][]byte{{a: [{_BYTES}],}},StringData:map[string]string{{b: {_P},}},}}",
        _BYTES,
    ),
    "Secret as Go prints it with %#v": (
        f'&v1.Secret{{Data:map[string][]uint8{{"a":[]uint8{{0x57}}}}, StringData:map[string]string{{"b":"{_P}"}}}}',
        _P,
    ),
    "Secret's data in a patch": (
        f'PATCH /api/v1/namespaces/a/secrets/b body={{"data":{{"a":"{_B}"}}}}',
        _B,
    ),
    "Secret's key in a patch without a kind": (json.dumps({"data": {"tls.key": _B}}), _B),
    "env of a container": (json.dumps(_POD), _P),
    "env of a container as YAML": (yaml.safe_dump(_POD), _P),
    "name: DB_PASSWORD, value": (json.dumps({"list": [_ENV]}), _P),
    "name: DB_PASSWORD, value, as YAML": (yaml.safe_dump([_ENV]), _P),
    "last-applied of a Deployment with env": (json.dumps(_DEPLOYED), _P),
    "env as docker inspect tells it": (json.dumps({"Config": {"Env": [f"SOME={_P}", "PATH=/bin"]}}), _P),
    "variable *_PASSWORD": (f"started with DB_PASSWORD={_P} and more", _P),
    "variable *_PASS in a script": (f"export SMTP_PASS={_P}\n", _P),
    "variable *_KEY": (f"STRIPE_SIGNING_KEY={_P}", _P),
    "variable *_TOKEN in quotes": (f"export API_TOKEN='{_P}'", _P),
    "password of several words": (f"password: {_P} battery staple\n", _P),
    "the last of several words": (f"password: correct horse {_P}\n", _P),
    "password in YAML's single quotes": (f"'password: it''s {_P}'\n", _P),
    "password behind an escaped quote": (json.dumps({"password": f'a"b{_P}'}), _P),
    "password, cut off": ('{"password": "' + _P, _P),
    "password in a log's string": (f'msg="got {{\\"password\\":\\"a\\\\\\"{_P}\\"}}"', _P),
    "password that is a number": (json.dumps({"password": 20262027}), "20262027"),
    "password as Go's map": (f"map[password:{_P} user:jdoe]", _P),
    "passwords in a list": (json.dumps({"token": [_P, _P]}), _P),
    "passwd": (f"passwd={_P}", _P),
    "pwd": (f"Server=db;Uid=a;Pwd={_P};", _P),
    "secret": (json.dumps({"secret": _P}), _P),
    "client_secret": (f"grant_type=client_credentials&client_secret={_P}&x=1", _P),
    "accessToken": (json.dumps({"accessToken": _P}), _P),
    "access_token in an address": (f"GET /x?access_token={_P}&y=1", _P),
    "id_token in a string": (json.dumps({"value": json.dumps({"id_token": _P})}), _P),
    "dbPassword": (json.dumps({"dbPassword": _P}), _P),
    "flag --password=VALUE": (f"kubeadm --password={_P} join", _P),
    "flag --password VALUE": (f"mysql --password {_P} join", _P),
    "flags in a list": (json.dumps({"args": ["--user", "a", "--password", _P, "--v=2"]}), _P),
    "flags in a list in YAML": (yaml.safe_dump({"args": ["--password", _P, "--v=2"]}), _P),
    "flags in a torn list": (f'"args": ["--password", "{_P}", "--v', _P),
    "flag --api-key=": (f"--api-key={_P}", _P),
    "flag --client-secret": (f'{{"args": ["--client-secret={_P}"]}}', _P),
    "flag --certificate-key": (f"kubeadm join --token abcdef.0123456789abcdez --certificate-key {_P}", _P),
    "bootstrap token": ("kubeadm join 10.0.0.1:6443 with abcdef.0123456789abcdez", "0123456789abcdez"),
    "curl -u": (f"curl -u jdoe:{_P} https://x", _P),
    "Docker's auths": (json.dumps(_DOCKER), _P),
    "Docker's auth": (json.dumps(_DOCKER), _base64(f"jdoe:{_P}")[5:]),
    "Docker's auth alone": (f'"auth": "{_base64("jdoe:" + _P)}"', _base64("jdoe:" + _P)[5:]),
    "identitytoken": (json.dumps({"identitytoken": _P}), _P),
    "npm's _authToken": (f"//registry.example/:_authToken={_P}", _P),
    "URL with user and password": (f"proxy http://jdoe:{_P}!@proxy.example:3128 said no", _P),
    "URL with an @ in the password": (f"http://jdoe:p@{_P}@proxy.example", _P),
    "URL with a token": (f"cloned https://{_P}@github.example/x", _P),
    "URL of a database": (f"--dsn=postgres://a:{_P}@db/x", _P),
    "URL in a key": (json.dumps({f"https://jdoe:{_P}@registry.example": 1}), _P),
    "MySQL's address": (f"jdoe:{_P}@tcp(db:3306)/x", _P),
    "AWS access key": ("used AKIAIOSFODNN7EXAMPLE there", "AKIAIOSFODNN7EXAMPLE"),
    "AWS secret key": (f"aws_secret_access_key = {_P}/K7MDENG/bPx", _P),
    "AWS signature": (f"https://x/?X-Amz-Signature={_P}0123&a=1", _P),
    "GitHub token": (f"ghp_{_P}0123456789", _P),
    "GitHub token, fine": (f"github_pat_{_P}0123456789", _P),
    "GitLab token": (f"glpat-{_P}", _P),
    "Slack token": (f"xoxb-1234-{_P}", _P),
    "Azure client secret": (f"abc8Q~{_P}0123456789abcdef", _P),
    "Azure storage": (f"AccountName=a;AccountKey={_P}+/==;EndpointSuffix=x", _P),
    "Azure signature": (f"https://x.example/a?sv=1&sig={_P}%3D", _P),
    "Google key": (f"AIza{(_P * 3)[:35]}", _P),
    "service account of Google": (json.dumps({"type": "service_account", "private_key": _PEM}), _BODY[5:]),
    "a test's parameter": (json.dumps({"parameters": [{"name": "password", "value": repr(_P)}]}), _P),
    "Secret's data below a patch's name": (
        json.dumps({"kind": "Secret", "name": "a", "values": {"data": {"a": _B}}}),
        _B,
    ),
    "Secret's key in a list of patches": (json.dumps([{"op": "add", "path": "/data/tls.key", "value": _B}]), _B),
    "kubectl patch secret": (f'kubectl patch secret a -p \'{{"data":{{"a":"{_B}"}}}}\'', _B),
    "key whose beginning was cut off": (f"x\n{_BODY}\n{_BODY}==\n-----END RSA PRIVATE KEY-----\ny\n", _BODY[5:]),
    "the same in a string": (json.dumps({"log": f"{_BODY}\n-----END PRIVATE KEY-----\n"}), _BODY[5:]),
    "key behind a container's prefix": (
        "".join(f"2026-11-28T12:00:00.1Z stderr F {line}\n" for line in _PEM.splitlines()),
        _BODY[5:],
    ),
    "kubeconfig, base64": (
        f"got {_base64(yaml.safe_dump(_KUBECONFIG, sort_keys=False))}",
        _base64(yaml.safe_dump(_KUBECONFIG, sort_keys=False))[60:],
    ),
    "Docker's auths, base64": (f"got {_base64(json.dumps(_DOCKER))}", _base64(json.dumps(_DOCKER))[40:]),
    "Secret as YAML, base64": (f"got {_base64(_AS_YAML)}", _base64(_AS_YAML)[80:]),
    "element of XML": (f"<server><password>{_P}</password></server>", _P),
    "password in an address's JSON": (f"?x=%7B%22password%22%3A%22{_P}%22%7D", _P),
    "password in HTML": (f"<td>&quot;password&quot;: &quot;{_P}&quot;</td>", _P),
    "password as Python's bytes": (f"Config(password=b'{_P}', user='x')", _P),
    "password before a host": (f"HTTP_PROXY=jdoe:{_P}!@proxy.example:3128", _P),
    "SECRET_KEY_BASE": (f"SECRET_KEY_BASE={_P}", _P),
    "--from-literal": (f"kubectl create secret generic a --from-literal=password={_P}", _P),
    "--set": (f"helm install --set auth.password={_P} x", _P),
    "header of curl": (f"curl -H 'X-Api-Key: {_P}' https://x", _P),
    "comment of YAML": (f"a: b # password: {_P}\n", _P),
    "name that stands twice": (f'{{"password": "{_P}", "password": true}}', _P),
    "block of YAML that is torn": (f"password: |\n  {_P}\nx: %y\n", _P),
}
"""By what they are called: a text, and what must not be left of it."""

ORDINARY = (
    "openpolicyagent/gatekeeper:v3.23.1@sha256:0e7f0ad1b1a0b1d3c6a1e1d1c7f5a9f2a5e3f4d8b6c7a9e0d1f2a3b4c5d6e7f8",
    "docker.io/openpolicyagent/gatekeeper@sha256:0e7f0ad1b1a0b1d3c6a1e1d1c7f5a9f2a5e3f4d8b6c7a9e0d1f2a3b4c5d6e7f8",
    "docker-pullable://gatekeeper:v3@sha256:0e7f0ad1b1a0b1d3c6a1e1d1c7f5a9f2a5e3f4d8b6c7a9e0d1f2a3b4c5d6e7f8",
    json.dumps({"metadata": {"uid": "6f1c2e7a-5c1b-4b8e-9a5e-0c1d2e3f4a5b", "resourceVersion": "184467"}}),
    "gatekeeper-controller-manager-5d9c8f7b6d-x2k9p on chaos-1a2b-worker2",
    json.dumps({"labels": {"pod-template-hash": "5d9c8f7b6d", "control-plane": "controller-manager"}}),
    "commit 6e28168b0c1f4d9a8e7f6a5b4c3d2e1f0a9b8c7d history: one function",
    "sha256:0e7f0ad1b1a0b1d3c6a1e1d1c7f5a9f2a5e3f4d8b6c7a9e0d1f2a3b4c5d6e7f8",
    "2026-11-28T12:17:46.123456789Z  1795868266.25  12.5 s",
    '{"level":"info","ts":1795868266.2,"logger":"cert-rotation","msg":"no cert refresh needed"}',
    '{"level":"info","ts":1795868266.2,"logger":"controller","msg":"Starting","source":"kind source: *v1.Pod"}',
    '{"level":"error","msg":"update error","error":"Operation cannot be fulfilled on secrets: it has been modified"}',
    '{"level":"info","process":"audit","audit_id":"2026-11-28T12:17:46Z","event_type":"violation_audited","key":"owner"}',
    "I1128 12:00:00.000000       1 reflector.go:436] Caches populated for *v1.Secret from k8s.io/client-go/informers",
    "E1128 12:00:00.000000       1 leaderelection.go:448] error retrieving resource lock: context deadline exceeded",
    'W1128 12:00:00.000000 1 dispatcher.go:210] Failed calling webhook, failing open validation.gatekeeper.sh: "x509"',
    "Error getting token: unexpected EOF",
    "the webhook uses basic authentication and a bearer of news; token expired",
    "Bearer authentication failed",
    "failed to get secret: secrets not found",
    "invalid location format: unexpected token: expected '.' or eof",
    "        credentials = credentials or self.kind.read_kubeconfig(deadline)\nE       KeyError\n",
    "    known = {each.key: list(earlier.get(each.key, ())) for each in gated}\n",
    "kind: Pod\nspec:\n  automountServiceAccountToken: true\n",
    json.dumps({"volumes": [{"name": "cert", "secret": {"secretName": "gatekeeper-webhook-server-cert"}}]}),
    json.dumps({"env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
    json.dumps({"env": [{"name": "GOMAXPROCS", "value": "4"}, {"name": "DEBUG", "value": "true"}]}),
    json.dumps({"env": [{"name": "PW", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}),
    json.dumps({"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}),
    json.dumps({"topologyKey": "kubernetes.io/hostname", "tolerations": [{"key": "node.kubernetes.io/not-ready"}]}),
    json.dumps({"args": ["--operation=webhook", "--exempt-namespace=gatekeeper-system", "--tls-min-version=1.3"]}),
    json.dumps({"command": ["kube-apiserver", "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key"]}),
    "--kubelet-client-key=/etc/kubernetes/pki/apiserver-kubelet-client.key --enable-bootstrap-token-auth=true",
    "--authorization-mode=Node,RBAC --service-account-key-file /etc/kubernetes/pki/sa.pub",
    json.dumps({"token": None, "data": {"a": "b"}}),
    json.dumps({"kind": "ConfigMap", "data": {"a": "b"}}),
    json.dumps({"imagePullPolicy": "IfNotPresent", "imagePullSecrets": [{"name": "registry"}]}),
    json.dumps(
        {"ownerReferences": [{"kind": "ReplicaSet", "name": "a-5d9c8f7b6d", "uid": "6f1c2e7a", "controller": True}]}
    ),
    json.dumps({"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}),
    "worker.17f3a2b4c5d6e7f8 event of canary",
    'MountVolume.SetUp failed for volume "cert" : secret "gatekeeper-webhook-server-cert" not found',
    'authentication.go:73] "Unable to authenticate" err="[invalid bearer token, service account token has expired]"',
    'flags.go:64] FLAG: --authentication-token-webhook-cache-ttl="2m0s" --tls-private-key-file=""',
    'flags.go:64] FLAG: --anonymous-auth="true" --bootstrap-kubeconfig="/etc/kubernetes/bootstrap-kubelet.conf"',
    json.dumps({"extra": {"authentication.kubernetes.io/credential-id": ["JTI=6f1c2e7a-5c1b-4b8e"]}}),
    json.dumps({"annotations": {"authorization.k8s.io/decision": "allow", "checksum/secret": "0e7f0ad1b1a0"}}),
    json.dumps({"spec": {"allowedSecret": True, "tokenExpirationSeconds": 3600, "tokens": 7, "passed": 3}}),
    'apiserver_storage_objects{resource="secrets"} 5\nrest_client_requests_total{code="200",method="GET"} 7\n',
    'violation[{"msg": msg}] {\n  key := input.parameters.keys[_]\n  not input.review.object.metadata.labels[key]\n}\n',
    '{"msg":"secrets \\"cert\\" not found","kind":"Secret"}\n{"kind":"ConfigMap","data":{"a":"b"}}\n',
    '1Z stderr F {"msg":"secret \\"cert\\" not found"}\n1Z stderr F {"kind":"ConfigMap","data":{"a":"b"}}\n',
    "172.18.0.3:6443 https://172.18.0.2:2379 canary:3@worker [2001:db8::1]:443",
    _CERTIFICATE,
    f"ca.crt: {_base64(_CERTIFICATE)}",
    "http://127.0.0.1:21000/v2/openpolicyagent/gatekeeper/manifests/v3.23.1?ns=docker.io",
    "ssh keys: 3 passed, 1 failed in 2.31s",
    "3 of 4 tests passed: ok",
    "spec:\n  # the key of the label: owner\n  labels: [{key: owner}]\n",
    "",
)
"""What is no secret, and is what a report is read for."""
