import type { Bounds } from "../bounds.ts";
import type { AtlasRequest } from "../client/atlas-client.ts";

type Method = AtlasRequest["method"];

/** The requests to one collection of an organization, `{root}/{orgId}/{name}`, in one version of the API. */
export class OrgCollection {
  readonly #root: string;
  readonly #name: string;
  readonly #mediaType: string;

  constructor(root: string, name: string, mediaType: string) {
    this.#root = root;
    this.#name = name;
    this.#mediaType = mediaType;
  }

  /** A request about the whole collection. `subject` names it in messages. */
  request(method: Method, orgId: string, subject: string, bounds: Bounds, rest = ""): AtlasRequest {
    const path = `${this.#root}/${orgId}/${this.#name}${rest}`;
    return { method, path, mediaType: this.#mediaType, subject, bounds };
  }

  /** A request about one person. */
  requestAbout(username: string, method: Method, orgId: string, bounds: Bounds, rest?: string): AtlasRequest {
    return { ...this.request(method, orgId, username, bounds, rest), person: { orgId, username } };
  }
}
