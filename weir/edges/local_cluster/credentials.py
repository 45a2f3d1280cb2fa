"""What the processes of a local cluster know each other by: a CA, a serving certificate, tokens and kubeconfigs."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import secrets
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from weir.edges.local_cluster.layout import Layout

USERS: Final = {
    "admin": ("weir-admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("weir-kwok", "system:masters"),
}
"""Kubeconfig -> (user, group)."""

_VALID: Final = dt.timedelta(days=3650)
_HOSTS: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_ADDRESSES: Final = ("127.0.0.1", "10.96.0.1")


def write_credentials(layout: Layout, port: int) -> None:
    """Write keys and tokens once, and the kubeconfigs for this port; the administrator's is `kubeconfig`."""
    if not layout.file("tokens.csv").is_file():
        _write_certificates(layout)
        tokens = {name: secrets.token_hex(16) for name in USERS}
        layout.write("tokens.json", json.dumps(tokens))
        rows = (f'{tokens[name]},{user},{user},"{group}"\n' for name, (user, group) in USERS.items())
        layout.write("tokens.csv", "".join(rows))
    for name, token in json.loads(layout.file("tokens.json").read_text()).items():
        file = layout.kubeconfig.name if name == "admin" else f"{name}.kubeconfig"
        layout.write(file, _kubeconfig(layout, port, name, token))


def admin_token(layout: Layout) -> str:
    """The bearer token of the administrator."""
    return str(json.loads(layout.file("tokens.json").read_text())["admin"])


def _kubeconfig(layout: Layout, port: int, user: str, token: str) -> str:
    """A kubeconfig; JSON is YAML, and needs no library here."""
    authority = base64.b64encode(layout.file("ca.crt").read_bytes()).decode()
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "weir-local", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "weir-local", "context": {"cluster": "weir-local", "user": user}}],
        "current-context": "weir-local",
    }
    return json.dumps(document, indent=2) + "\n"


def _write_certificates(layout: Layout) -> None:
    ca_key, server_key, token_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    ca_name = _name("weir-local-ca")
    authority = _certificate(ca_name, ca_key, ca_name).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in _HOSTS]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    server = _certificate(_name("kube-apiserver"), server_key, ca_name).add_extension(
        x509.SubjectAlternativeName(names), critical=False
    )
    for file, builder in (("ca.crt", authority), ("apiserver.crt", server)):
        signed = builder.sign(ca_key, hashes.SHA256())
        layout.write(file, signed.public_bytes(serialization.Encoding.PEM))
    for file, key in (("apiserver.key", server_key), ("service-account.key", token_key)):
        layout.write(file, _pem(key))


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _VALID)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
