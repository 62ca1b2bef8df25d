import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** What a server needs to speak TLS, and what its clients need to trust it. */
export interface TlsIdentity {
  key: string;
  cert: string;
  /** The file to trust, such as by NODE_EXTRA_CA_CERTS. */
  caPath: string;
  /** Removes the file. */
  remove: () => Promise<void>;
}

// The real names are there for a proxy that leads them to a simulator.
const names = ["IP:127.0.0.1", "DNS:localhost", "DNS:cloud.mongodb.com", "DNS:cloud.mongodbgov.com"];

/** Makes a certificate that signs itself, with openssl, in a temporary folder that does not keep its key. */
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
