// A key-value plugin on grpc-js with the go-plugin handshake. It serves only with AutoMTLS, and reads
// only the cookie and the PLUGIN_* variables from the environment.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { parseArgs } = require("node:util");

const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

const { selfSigned } = require("./certificate.js");

const [COOKIE_KEY, COOKIE_VALUE] = ["BASIC_PLUGIN", "hello"];
const [CORE_VERSION, APP_VERSION] = [1, 1];
const MAX_MESSAGE = 64 << 20;
const STOP_GRACE_MS = 1000;

const field = (id, type) => ({ id, type });
const message = (fields) => ({ fields });
const method = (requestType, responseType) => ({ requestType, responseType });

const WIRE = grpc.loadPackageDefinition(
  protoLoader.fromJSON({
    nested: {
      proto: {
        nested: {
          GetRequest: message({ key: field(1, "string") }),
          GetResponse: message({ value: field(1, "bytes") }),
          PutRequest: message({ key: field(1, "string"), value: field(2, "bytes") }),
          Empty: message({}),
          KV: { methods: { Get: method("GetRequest", "GetResponse"), Put: method("PutRequest", "Empty") } },
        },
      },
      plugin: {
        nested: { Empty: message({}), GRPCController: { methods: { Shutdown: method("Empty", "Empty") } } },
      },
      grpc: {
        nested: {
          health: {
            nested: {
              v1: {
                nested: {
                  HealthCheckRequest: message({ service: field(1, "string") }),
                  HealthCheckResponse: message({ status: field(1, "int32") }),
                  Health: { methods: { Check: method("HealthCheckRequest", "HealthCheckResponse") } },
                },
              },
            },
          },
        },
      },
    },
  }),
);

const failure = (code, details) => ({ code, details });

/** The KV service: values in memory and, if a directory is given, one file for each. */
function store(directory, values) {
  const known = new Map(Object.entries(values));
  const file = (key) => path.join(directory, Buffer.from(key).toString("hex"));
  const find = (key) => {
    if (!known.has(key) && directory && fs.existsSync(file(key))) known.set(key, fs.readFileSync(file(key)));
    return known.get(key);
  };
  const named = (act) => (call, answer) => {
    if (!call.request.key) return answer(failure(grpc.status.INVALID_ARGUMENT, "empty key"));
    return act(call.request, answer);
  };
  return {
    Get: named(({ key }, answer) => {
      const value = find(key);
      return value === undefined ? answer(failure(grpc.status.NOT_FOUND, "no such key")) : answer(null, { value });
    }),
    Put: named(({ key, value }, answer) => {
      if (directory) fs.writeFileSync(file(key), value, { mode: 0o600 });
      known.set(key, value);
      answer(null, {});
    }),
  };
}

function check(call, answer) {
  const known = ["", "plugin"].includes(call.request.service);
  return known ? answer(null, { status: 1 }) : answer(failure(grpc.status.NOT_FOUND, "unknown service"));
}

function serve(services, directory, hostCertificate) {
  const server = new grpc.Server({ "grpc.max_receive_message_length": MAX_MESSAGE, "grpc.max_send_message_length": MAX_MESSAGE });
  const stop = () => {
    server.tryShutdown(() => process.exit(0));
    setTimeout(() => process.exit(0), STOP_GRACE_MS);
  };
  process.on("SIGINT", () => {}); // an interrupt is meant for the host
  process.on("SIGTERM", stop);
  // Responds before it stops.
  const shutdown = (_call, answer) => (answer(null, {}), setImmediate(stop));

  server.addService(WIRE.proto.KV.service, services);
  server.addService(WIRE.plugin.GRPCController.service, { Shutdown: shutdown });
  server.addService(WIRE.grpc.health.v1.Health.service, { Check: check });

  const { key, der, pem } = selfSigned();
  const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(pem) };
  const credentials = grpc.ServerCredentials.createSsl(Buffer.from(hostCertificate), [pair], true);
  const address = path.join(directory, `plugin${process.pid}`);
  server.bindAsync(`unix:${address}`, credentials, (error) => {
    if (error) fail(`cannot listen: ${error.message}`);
    const certificate = der.toString("base64").replace(/=+$/, "");
    process.stdout.write(`${[CORE_VERSION, APP_VERSION, "unix", address, "grpc", certificate].join("|")}\n`);
  });
}

function fail(reason) {
  process.stderr.write(`kv_plugin: ${reason}\n`);
  process.exit(1);
}

/** Serves until the host asks it to stop. `values` are the initial values. */
function main(values = {}) {
  const { data } = parseArgs({ options: { data: { type: "string" } } }).values;
  if (process.env[COOKIE_KEY] !== COOKIE_VALUE) fail("this program is a plugin: its host starts it");
  const hostCertificate = process.env.PLUGIN_CLIENT_CERT;
  if (!hostCertificate) fail("PLUGIN_CLIENT_CERT is missing: this plugin serves only with AutoMTLS");

  process.umask(0o077);
  const directory = process.env.PLUGIN_UNIX_SOCKET_DIR || fs.mkdtempSync(path.join(os.tmpdir(), "kv_plugin"));
  serve(store(data, values), path.resolve(directory), hostCertificate);
}

module.exports = { main };
