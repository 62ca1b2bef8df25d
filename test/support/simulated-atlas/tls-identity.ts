import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** The key and the certificate of a TLS server. */
export interface TlsIdentity {
  key: string;
  cert: string;
  /** The file of the certificate, for clients that trust it, such as by NODE_EXTRA_CA_CERTS. */
  caPath: string;
  /** Removes the file of the certificate. */
  remove: () => Promise<void>;
}

// The names of Atlas are for a proxy that routes them to a simulator.
const names = ["IP:127.0.0.1", "DNS:localhost", "DNS:cloud.mongodb.com", "DNS:cloud.mongodbgov.com"];

/** Makes a self-signed certificate with openssl in a temporary folder. The key is removed from the folder. */
export async function createTlsIdentity(): Promise<TlsIdentity> {
  const folder = await mkdtemp(join(tmpdir(), "simulated-atlas-"));
  const keyPath = join(folder, "key.pem");
  const caPath = join(folder, "ca.pem");
  const command = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  command.push("-keyout", keyPath, "-out", caPath, "-days", "2", "-subj", "/CN=Simulated Atlas");
  command.push("-addext", `subjectAltName=${names.join()}`);
  await promisify(execFile)("openssl", command);
  const key = await readFile(keyPath, "utf8");
  await rm(keyPath);
  const cert = await readFile(caPath, "utf8");
  return { key, cert, caPath, remove: () => rm(folder, { recursive: true, force: true }) };
}
