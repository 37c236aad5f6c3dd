"""Certificates for tests of TLS, made by the openssl command: an authority, and what it signed."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONFIGURATION = """
[ca]
default_ca = it
[it]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
x509_extensions = server
[any]
commonName = supplied
[server]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
ALWAYS = ("20000101000000Z", "21000101000000Z")
OVER = ("20000101000000Z", "20010101000000Z")
NOT_YET = ("20900101000000Z", "21000101000000Z")


@dataclass(frozen=True)
class Authority:
    """Signs certificates; its own is `authority.pem`."""

    folder: Path

    @property
    def cafile(self) -> str:
        """The file of its certificate."""
        return str(self.folder / "authority.pem")

    def server(
        self, name: str = "IP:127.0.0.1", times: tuple[str, str] = ALWAYS, signer: str = "authority"
    ) -> ssl.SSLContext:
        """Return what a server speaks TLS with.

        Args:
            name: Of the certificate, as OpenSSL has it.
            times: From when until when it is good.
            signer: `authority`, or `self`.
        """
        file = f"server-{abs(hash((name, times, signer)))}"
        self._request(file, name)
        begins, ends = times
        by = (
            ["-selfsign", "-keyfile", f"{file}.key"]
            if signer == "self"
            else [*("-cert", "authority.pem", "-keyfile", "authority.key")]
        )
        whole = ["-batch", "-notext", "-config", "ca.cnf", "-in", f"{file}.csr"]
        self._openssl(
            "ca", *whole, "-out", f"{file}.pem", "-startdate", begins, "-enddate", ends, *by
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{file}.pem", self.folder / f"{file}.key")
        return context

    def begin(self) -> "Authority":
        """Make the authority's own key and certificate."""
        (self.folder / "ca.cnf").write_text(CONFIGURATION)
        (self.folder / "index.txt").touch()
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        whole = [*key, "-subj", "/CN=Authority", "-days", "36500", "-keyout", "authority.key"]
        # What Python asks of an authority from 3.13 on.
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self._openssl("req", "-x509", *whole, *usage, "-out", "authority.pem")
        return self

    def _request(self, file: str, name: str) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        whole = [*key, "-subj", "/CN=server", "-addext", f"subjectAltName={name}"]
        self._openssl("req", "-new", *whole, "-keyout", f"{file}.key", "-out", f"{file}.csr")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
