"""A key-value plugin on grpcio with the go-plugin handshake.

It represents plugins without any Go code: BoringSSL for TLS, C-core for gRPC, and an
interpreter as the executable. It serves only with AutoMTLS. It reads only the cookie
and the PLUGIN_* variables from the environment and never opens sys.executable, so it
runs with an otherwise empty environment and from an interpreter without a file name.
"""

import argparse
import base64
import os
import shutil
import signal
import sys
import tempfile
import threading
from concurrent import futures
from datetime import datetime, timedelta, timezone

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

COOKIE_KEY, COOKIE_VALUE = "BASIC_PLUGIN", "hello"
CORE_VERSION, APP_VERSION = 1, 1
MAX_MESSAGE = 64 << 20
STOP_GRACE_SECONDS = 1.0


def message_classes(package, messages):
    """Builds message classes from {message: [(field, number, type), ...]}."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    for message, fields in messages.items():
        descriptor = file.message_type.add(name=message)
        for name, number, kind in fields:
            descriptor.field.add(
                name=name,
                number=number,
                type=kind,
                label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{package}.{message}")
        )
        for message in messages
    }


STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
BYTES = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES

KV = message_classes(
    "proto",
    {
        "GetRequest": [("key", 1, STRING)],
        "GetResponse": [("value", 1, BYTES)],
        "PutRequest": [("key", 1, STRING), ("value", 2, BYTES)],
        "Empty": [],
    },
)
CONTROLLER = message_classes("plugin", {"Empty": []})


class Store:
    """The KV service: values in memory and, if a directory is given, one file for each."""

    def __init__(self, directory, values=()):
        self._directory = directory
        self._lock = threading.Lock()
        self._values = dict(values)
        if directory:
            os.makedirs(directory, mode=0o700, exist_ok=True)

    def get(self, request, context):
        self._require_key(request, context)
        with self._lock:
            value = self._find(request.key)
        if value is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such key")
        return KV["GetResponse"](value=value)

    def put(self, request, context):
        self._require_key(request, context)
        with self._lock:
            if self._directory:
                with open(self._path(request.key), "wb") as file:
                    file.write(request.value)
            self._values[request.key] = request.value
        return KV["Empty"]()

    def handler(self):
        return grpc.method_handlers_generic_handler(
            "proto.KV",
            {
                "Get": unary(self.get, KV["GetRequest"]),
                "Put": unary(self.put, KV["PutRequest"]),
            },
        )

    def _find(self, key):
        if key not in self._values and self._directory:
            try:
                with open(self._path(key), "rb") as file:
                    self._values[key] = file.read()
            except FileNotFoundError:
                pass
        return self._values.get(key)

    def _path(self, key):
        return os.path.join(self._directory, key.encode().hex())

    @staticmethod
    def _require_key(request, context):
        if not request.key:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "empty key")


def controller_handler(stop):
    """GRPCController: Shutdown responds first; the main thread then stops the server."""

    def shutdown(_request, _context):
        stop.set()
        return CONTROLLER["Empty"]()

    return grpc.method_handlers_generic_handler(
        "plugin.GRPCController", {"Shutdown": unary(shutdown, CONTROLLER["Empty"])}
    )


def health_servicer():
    servicer = health.HealthServicer()
    servicer.set("plugin", health_pb2.HealthCheckResponse.SERVING)
    return servicer


def unary(method, request_class):
    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request_class.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def self_signed():
    """Returns (key in PEM, certificate), valid for this process."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, certificate


def credentials(host_certificate):
    """Returns (server credentials, own certificate in DER).

    The server accepts the host's certificate and certificates that it signed.
    """
    key_pem, certificate = self_signed()
    pem = serialization.Encoding.PEM
    server = grpc.ssl_server_credentials(
        [(key_pem, certificate.public_bytes(pem))],
        root_certificates=host_certificate.public_bytes(pem),
        require_client_auth=True,
    )
    return server, certificate.public_bytes(serialization.Encoding.DER)


def host_certificate_from(environment):
    text = environment.get("PLUGIN_CLIENT_CERT")
    if not text:
        sys.exit("kv_plugin: PLUGIN_CLIENT_CERT is missing: this plugin serves only with AutoMTLS")
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError as error:
        sys.exit(f"kv_plugin: PLUGIN_CLIENT_CERT is not a certificate: {error}")


def serve(store, socket_directory, host_certificate):
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is meant for the host
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=4),
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.max_send_message_length", MAX_MESSAGE),
        ],
    )
    server.add_generic_rpc_handlers((store.handler(), controller_handler(stop)))
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer(), server)

    server_credentials, der = credentials(host_certificate)
    address = os.path.join(socket_directory, f"plugin{os.getpid()}")
    server.add_secure_port(f"unix:{address}", server_credentials)
    server.start()

    encoded = base64.b64encode(der).decode().rstrip("=")
    print(CORE_VERSION, APP_VERSION, "unix", address, "grpc", encoded, sep="|", flush=True)

    stop.wait()
    server.stop(STOP_GRACE_SECONDS).wait()


def main(values=()):
    """Serves until the host asks it to stop. `values` are the initial values."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", metavar="DIR", help="also keep the values as files in DIR")
    options = parser.parse_args()

    if os.environ.get(COOKIE_KEY) != COOKIE_VALUE:
        sys.exit("kv_plugin: this program is a plugin: its host starts it")
    host_certificate = host_certificate_from(os.environ)

    os.umask(0o077)
    given = os.environ.get("PLUGIN_UNIX_SOCKET_DIR")
    directory = os.path.abspath(given) if given else tempfile.mkdtemp(prefix="kv_plugin")
    try:
        serve(Store(options.data, values), directory, host_certificate)
    finally:
        if not given:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
