"""A webhook receiver behind TLS on loopback, and certificates made for it."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SINCE = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, and the file that holds both."""

    path: Path
    made: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def server_side(self) -> ssl.SSLContext:
        """What a server that shows this certificate speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


def certificate(
    folder: Path, name: str, *, issuer: Certificate | None, until: datetime = _UNTIL
) -> Certificate:
    """A certificate for a host name; without an issuer it is signed by itself, and may sign."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    is_authority = issuer is None
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    made = (
        x509.CertificateBuilder(
            issuer_name=issuer.made.subject if issuer else subject,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=_SINCE,
            not_valid_after=until,
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    path = folder / f"{made.serial_number}.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(pem))
    return Certificate(path, made, key)


@dataclass
class TlsReceiver:
    """What came in: the name asked for before the certificate was shown, then the requests."""

    port: int
    context: ssl.SSLContext | None  # of the next connection; None: plain http
    names: list[str | None] = field(default_factory=list)
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    plain: list[bytes] = field(default_factory=list)  # what a plain port got first


@contextmanager
def tls_receiver() -> Iterator[TlsReceiver]:
    """A running receiver that answers 204; `context` says what it shows."""

    class Requests(BaseHTTPRequestHandler):
        timeout = 10

        def handle(self) -> None:
            if isinstance(self.request, ssl.SSLSocket):
                return super().handle()
            receiver.plain.append(self.request.recv(65_536))
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.asked.append((headers, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    class Server(ThreadingHTTPServer):
        def get_request(self) -> tuple[Any, Any]:
            plain, peer = super().get_request()
            if receiver.context is None:
                return plain, peer
            receiver.context.sni_callback = lambda _, name, __: receiver.names.append(name)
            # Hands are shaken in the thread of the connection, at its first read.
            secured = receiver.context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            )
            return secured, peer

        def handle_error(self, *_: Any) -> None:
            """Nothing on the terminal: clients that turn away are part of the tests."""

    server = Server(("127.0.0.1", 0), Requests)
    receiver = TlsReceiver(server.server_port, context=None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
