import * as pulumi from "@pulumi/pulumi";
import type { InvitationsApiVersion } from "../settings/settings.ts";

/** One account of Atlas: credentials of one kind, and the settings that differ from the environment. */
export interface AtlasProviderArgs {
  /** Public key of an API key. */
  publicKey?: pulumi.Input<string> | undefined;
  /** Private key of the API key. Stored as a secret. */
  privateKey?: pulumi.Input<string> | undefined;
  /** Id of a service account: `mdb_sa_id_…`. */
  clientId?: pulumi.Input<string> | undefined;
  /** Secret of the service account: `mdb_sa_sk_…`. Stored as a secret. */
  clientSecret?: pulumi.Input<string> | undefined;
  /** An access token that is valid for the whole run. Stored as a secret. */
  accessToken?: pulumi.Input<string> | undefined;
  /** Origin of Atlas. @default "https://cloud.mongodb.com" */
  baseUrl?: pulumi.Input<string> | undefined;
  /** Whether the server is Atlas for Government. @default false */
  isMongodbgovCloud?: pulumi.Input<boolean> | undefined;
  /** The version of the API that carries the invitations: `v2`, `v1.0` or `users`. @default "v2" */
  invitationsApi?: pulumi.Input<InvitationsApiVersion> | undefined;
  /** How long one operation may wait in all, such as `30m`. @default "1h" */
  maxWait?: pulumi.Input<string> | undefined;
  /** Whether each request is shown, without headers and bodies. @default false */
  debug?: pulumi.Input<boolean> | undefined;
}

/**
 * An account of Atlas for the resources that have it in their `provider` option, if one program has several accounts.
 *
 * Its arguments override the environment, and are stored in the state (secrets encrypted), so that destroy needs
 * no environment. Changing them updates the provider and no invitation.
 */
export class AtlasProvider extends pulumi.ProviderResource {
  /**
   * @param name Name of the provider, unique in the stack.
   * @param args The account. Settings that are left out are read from the environment.
   * @param opts Resource options of Pulumi.
   */
  constructor(name: string, args: AtlasProviderArgs, opts?: pulumi.ResourceOptions) {
    const secret = (value: pulumi.Input<string> | undefined) =>
      value === undefined ? undefined : pulumi.secret(value);
    super(
      "pulumi-nodejs",
      name,
      {
        "mongodbatlas:explicitProvider": "true",
        "mongodbatlas:publicKey": args.publicKey,
        "mongodbatlas:privateKey": secret(args.privateKey),
        "mongodbatlas:clientId": args.clientId,
        "mongodbatlas:clientSecret": secret(args.clientSecret),
        "mongodbatlas:accessToken": secret(args.accessToken),
        "mongodbatlas:baseUrl": args.baseUrl,
        "mongodbatlas:isMongodbgovCloud": args.isMongodbgovCloud,
        "mongodbatlas:invitationsApi": args.invitationsApi,
        "mongodbatlas:maxWait": args.maxWait,
        "mongodbatlas:debug": args.debug,
      },
      opts,
    );
  }
}
