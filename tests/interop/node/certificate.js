// A self-signed certificate for this process, in DER (X.690, RFC 5280). Node can parse certificates
// but not create them.
"use strict";

const crypto = require("node:crypto");

const SEQUENCE = 0x30;
const SET = 0x31;
const ECDSA_WITH_SHA256 = tagged(SEQUENCE, oid("2a8648ce3d040302"));
const NAME = "localhost";
const DAY_MS = 24 * 60 * 60 * 1000;

function tagged(tag, ...parts) {
  const content = Buffer.concat(parts);
  const length = content.length;
  const header = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function oid(hex) {
  return tagged(0x06, Buffer.from(hex, "hex"));
}

function serial() {
  const bytes = crypto.randomBytes(16);
  bytes[0] = (bytes[0] & 0x7f) | 0x40; // positive, and without a leading zero
  return tagged(0x02, bytes);
}

function distinguishedName() {
  return tagged(SEQUENCE, tagged(SET, tagged(SEQUENCE, oid("550403"), tagged(0x0c, Buffer.from(NAME)))));
}

function utcTime(milliseconds) {
  return tagged(0x17, Buffer.from(new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, "").slice(2)));
}

function extension(id, value) {
  return tagged(SEQUENCE, oid(id), tagged(0x04, value));
}

function extensions() {
  const alternativeName = extension("551d11", tagged(SEQUENCE, tagged(0x82, Buffer.from(NAME))));
  const serverAndClient = [oid("2b06010505070301"), oid("2b06010505070302")];
  return tagged(0xa3, tagged(SEQUENCE, alternativeName, extension("551d25", tagged(SEQUENCE, ...serverAndClient))));
}

/** Returns the key in PEM, and the certificate in DER and in PEM. */
function selfSigned() {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const signed = tagged(
    SEQUENCE,
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    serial(),
    ECDSA_WITH_SHA256,
    distinguishedName(),
    tagged(SEQUENCE, utcTime(now - DAY_MS), utcTime(now + 30 * DAY_MS)),
    distinguishedName(),
    publicKey.export({ type: "spki", format: "der" }),
    extensions(),
  );
  const signature = crypto.sign("sha256", signed, privateKey);
  const der = tagged(SEQUENCE, signed, ECDSA_WITH_SHA256, tagged(0x03, Buffer.from([0]), signature));
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }), der, pem: new crypto.X509Certificate(der).toString() };
}

module.exports = { selfSigned };
