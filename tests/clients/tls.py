"""TLS in front of a service without it, with an authority of its own: the official clients speak https to STS and nothing else."""

import datetime
import ipaddress
import os
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tap import PATIENCE, read_message, serve_connections


def certificate(name, issuer_name, key, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer_name)]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(hours=1))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Tls:
    """Listens on a free port of the loopback interface. `ca` is the file with its authority."""

    def __init__(self, target, directory):
        self._target = target
        authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        key_id = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
        roots = [(x509.BasicConstraints(True, None), True), (usage, True), (key_id, False)]
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        of_authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
        files = {
            "ca.pem": certificate("authority of the test", "authority of the test", authority, authority, roots),
            "cert.pem": certificate("sts", "authority of the test", key, authority, [(alternative, False), (of_authority, False)]),
            "key.pem": key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        }
        paths = {name: os.path.join(directory, name) for name in files}
        for name, content in files.items():
            with open(paths[name], "wb") as file:
                file.write(content)
        self.ca = paths["ca.pem"]
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(paths["cert.pem"], paths["key.pem"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        serve_connections(self._listener, self._serve)

    def close(self):
        self._listener.close()

    def _serve(self, client):
        client.settimeout(PATIENCE)
        try:
            with self._context.wrap_socket(client, server_side=True) as stream:
                while True:
                    request = read_message(stream)
                    if not request:
                        return
                    with socket.create_connection(self._target, timeout=PATIENCE) as upstream:
                        upstream.sendall(request)
                        stream.sendall(read_message(upstream))
        except (OSError, ssl.SSLError):
            return
