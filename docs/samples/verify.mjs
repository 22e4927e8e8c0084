// Read a callback as a CGI program gets it: the body on standard input, the headers in the environment.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

// --8<-- [start:verify]
function same(expected, given) {
  const [a, b] = [Buffer.from(expected), Buffer.from(given ?? "")];
  return a.length === b.length && timingSafeEqual(a, b);
}

// Returns whether both signatures of a callback were made with the key, within the last five minutes.
// The body is a Buffer of the bytes as they came: JSON that was parsed and written again has another signature.
function genuine(key, headers, body) {
  const simple = createHash("sha1").update(key).update(body).update(key).digest("base64");
  if (!same(simple, headers["x-signature"])) return false;
  const signed = createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`);
  const standard = `v1,${signed.update(body).digest("base64")}`;
  if (!(headers["webhook-signature"] ?? "").split(" ").some((each) => same(standard, each))) return false;
  return Math.abs(Date.now() / 1000 - Number(headers["webhook-timestamp"])) <= 300;
}
// --8<-- [end:verify]

const names = ["x-signature", "webhook-id", "webhook-timestamp", "webhook-signature"];
const headers = Object.fromEntries(
  names.map((name) => [name, process.env[`HTTP_${name.toUpperCase().replaceAll("-", "_")}`]]),
);
const body = readFileSync(0);
if (!genuine(process.env.PRIVATE_KEY, headers, body)) {
  console.error("not genuine");
  process.exit(1);
}
const { data: invoice } = JSON.parse(body);
console.log("genuine", invoice.id, invoice.attributes.status, invoice.attributes.updated);
