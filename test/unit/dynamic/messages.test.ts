import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { AtlasError } from "../../../provider/atlas/errors.ts";
import { messageOf } from "../../../provider/dynamic/messages.ts";
import * as provider from "../../../provider/dynamic/org-invitation-provider.ts";
import { UNKNOWN } from "../../../provider/lifecycle/check-inputs.ts";
import { assertPackageFound } from "../../../provider/program/package-resolution.ts";
import { assertNodeVersion } from "../../../provider/settings/node-version.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";
import {
  __provider,
  ada,
  news,
  orgId,
  type Properties,
  type ProviderFixture,
  team,
  useProvider,
} from "./provider-fixture.ts";

// The one place that asserts whole sentences. Each must tell a stranger what happened, why, and what to do.

const project = "5f0000000000000000000002";
const fixture = useProvider();

/** A message without what differs from run to run. */
function normalized(message: string): string {
  return (
    message
      .replaceAll(orgId, "ORG")
      .replaceAll(fixture.atlas.url, "URL")
      // Newer versions of Node.js add this to the reason.
      .replace(/; if the root CA is installed locally[^)]*/, "")
      .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "DATE")
      .replace(/\b(?!5f0{21})[0-9a-f]{24}\b/g, "ID")
  );
}

/** The message with which an operation fails. */
async function messageFrom(operation: Promise<unknown>): Promise<string> {
  const error = await operation.then(
    () => new Error("(no error)"),
    (error: Error) => error,
  );
  return normalized(error instanceof AtlasError ? messageOf(error) : error.message);
}

const create = (changes: Properties = {}) => provider.create({ ...news, ...changes });
const read = (changes?: Properties) => provider.read("id", fixture.stored(changes));
const update = (changes: Properties, stored?: Properties) =>
  provider.update("id", fixture.stored(stored), { ...news, ...stored, ...changes });
const remove = (changes?: Properties) => provider.delete("id", fixture.stored(changes));

const always = Number.POSITIVE_INFINITY;
const grace = "grace@example.com";
const owner = { roles: ["ORG_OWNER"] };
const manage = { onAccepted: "manage" };
const retain = { onAccepted: "retain" };
const DELETE = `${ada} in ORG: DELETE /api/atlas/v2/orgs/ORG/invites/${team}`;
const CHECK_NETWORK =
  "Check the network, the proxy, and mongodbatlas:baseUrl or MONGODB_ATLAS_BASE_URL if you set it, and run the command again.";
const answered = (status: number, errorCode?: string, more: object = {}) => ({
  status,
  body: { errorCode, detail: "Atlas says why.", ...more },
});

/** Arranges what the message is about, and runs the operation. */
type Run = (fixture: ProviderFixture) => Promise<unknown>;

/** Runs the operation in such an organization. */
const given =
  (arrange: (organization: Organization) => void, run: () => Promise<unknown>): Run =>
  ({ organization }) => {
    arrange(organization);
    return run();
  };

/** Runs the operation while the next matching request fails. */
const failing =
  (fault: Parameters<SimulatedAtlas["fail"]>[0], run: () => Promise<unknown>): Run =>
  ({ atlas }) => {
    atlas.fail(fault);
    return run();
  };

const failedDelete = (fault: Parameters<SimulatedAtlas["fail"]>[0]) =>
  failing({ ...fault, method: "DELETE" }, remove);

const member = (organization: Organization) => organization.addMember(ada);
const invited = (organization: Organization) => organization.invite(ada);
const invitedToProject = (organization: Organization) =>
  organization.inviteToProject(ada, { groupId: project, roles: ["GROUP_OWNER"] });
const ended = (how: "expire" | "reject") => (organization: Organization) => {
  organization.invite(ada);
  organization[how](ada);
};
/** Runs the operation where the invitation is listed like this. */
const listed = (username: string, rewrite: (view: Properties) => unknown, run: () => Promise<unknown>) =>
  given((organization) => {
    organization.invite(username);
    organization.rewrite(username, rewrite as never);
  }, run);
/** Runs the operation where the member has an unknown status. */
const suspended = (username: string, run: () => Promise<unknown>) =>
  given((organization) => {
    organization.addMember(username);
    organization.rewrite(username, (view) => ({ ...view, orgMembershipStatus: "SUSPENDED" }));
  }, run);

describe("an error is displayed as", () => {
  test.each(
    Object.entries<Run>({
      // The table of the lifecycle refuses the operation.
      'ada@example.com is already a member of ORG, so no invitation was sent. If this resource was renamed or moved, give it aliases, so that it keeps its state. Otherwise set onAccepted to "retain" (keep the member as they are) or "manage" (change the member to what is declared; destroying the resource then removes them), or remove the resource.':
        given(member, create),
      'ada@example.com has accepted the invitation to ORG, so it can no longer be changed. Set onAccepted to "manage" (change the member, and remove them on destroy), or undo the change and set it to "retain" (keep the member as they are).':
        given(member, () => update(owner)),
      'ada@example.com has accepted the invitation to ORG, so it can no longer be deleted. Set onAccepted to "retain" (keep the member, forget the invitation) or "manage" (remove the member), run pulumi up, then destroy again. If the program no longer declares them, pulumi state delete and the URN forgets the resource and keeps the member.':
        given(member, remove),
      "The invitation of ada@example.com to ORG no longer exists: it was cancelled in Atlas, or by another tool. Run pulumi refresh, then pulumi up to invite them again.":
        () => update(owner),
      "ada@example.com is no longer a member of ORG: the member left, or was removed in Atlas. Run pulumi refresh, then pulumi up to invite them again.":
        () => update(owner, { ...manage, status: "ACCEPTED" }),
      "The invitation of ada@example.com to ORG expired on DATE, so it can no longer be changed. Run pulumi refresh; then set reinviteExpired to true to invite them again, or remove the resource.":
        given(ended("expire"), () => update(owner)),
      "The invitation of ada@example.com to ORG was rejected, so it can no longer be changed. Remove the resource, or invite them again with pulumi up --target-replace and its URN.":
        given(ended("reject"), () => update(owner)),
      // Atlas does not do what it is asked for.
      "ada@example.com was invited to ORG, but without everything that is declared: PATCH /api/atlas/v2/orgs/ORG/invites/ID answered 404 TEAM_NOT_FOUND: Atlas says why. Check teamIds: the organization has no such team. Run pulumi up again to complete it.":
        ({ atlas }) => {
          atlas.settings.ignoresOnCreate = ["teamIds"];
          atlas.fail({ method: "PATCH", ...answered(404, "TEAM_NOT_FOUND") });
          return create({ teamIds: [team] });
        },
      [`Atlas answered the change of ada@example.com in ORG without an error, but did not grant teamIds ${team} and groupRoleAssignments GROUP_OWNER in ${project}. If an identity provider manages the roles of the organization, change them there, declare what Atlas has, or set onAccepted to "retain". If it is about teams or project roles of an invitation, set mongodbatlas:invitationsApi to v2.`]:
        ({ atlas, organization }) => {
          organization.addMember(ada);
          atlas.settings.ignoresOnUpdate = ["teamIds", "groupRoleAssignments"];
          const groupRoleAssignments = [{ groupId: project, roles: ["GROUP_OWNER"] }];
          return update({ teamIds: [team], groupRoleAssignments }, manage);
        },
      "Atlas lists ada@example.com in ORG, but does not find the invitation or the member when it is asked to change it. It may be an invitation to a project, which can only be cancelled in Atlas. Run the command again. If the error stays, change or cancel it in Atlas.":
        ({ atlas, organization }) => {
          organization.invite(ada);
          atlas.fail({ method: "DELETE", status: 404, times: always });
          return remove();
        },
      "ada@example.com was invited to ORG, or became a member, while this operation was running. Run pulumi up again.":
        ({ atlas, organization }) => {
          // After the first answer the person is looked up for the last time, after the second one rechecked.
          atlas.fail({ method: "POST", ...answered(409) });
          atlas.fail({ method: "POST", ...answered(503) });
          atlas.onRequest(({ status }, stage) => {
            if (status === 503 && stage === "handled") organization.invite(ada);
          });
          return create();
        },
      // Another resource, or the state.
      "Nothing was sent for ada@example.com in ORG: another resource of this program declares the same person, and could not be created. Correct the error of the other resource, and run pulumi up again.":
        async ({ atlas, organization }) => {
          organization.invite(ada);
          atlas.fail({ method: "PATCH", ...answered(400) });
          await create(owner).catch(() => undefined);
          await remove();
        },
      'The state of this resource cannot be used, so nothing was sent. orgId: must be 24 hexadecimal digits; roles: Invalid type: Expected Array but received "ORG_MEMBER". Correct the state with pulumi stack export and import, or forget the resource with pulumi state delete and its URN.':
        () => remove({ orgId: "..", roles: "ORG_MEMBER" }),
      // A look-up fails.
      "It is unknown whether ada@example.com is invited to ORG, is a member, or neither, because the look-up failed. GET /api/atlas/v2/orgs/ORG/invites answered 503: an empty body instead of Atlas's JSON. Atlas, or a proxy in front of it, has a failure: try again later. Tried 6 times.":
        failing({ status: 503, times: always }, read),
      "It is unknown whether ada@example.com is invited to ORG, is a member, or neither, because the look-up failed. Atlas's entry about ada@example.com cannot be used: its property roles is missing or of another type. Run the command again. If the error stays, update pulumi-atlas-invitations.":
        listed(ada, (view) => ({ ...view, roles: null }), read),
      "It is unknown whether ada@example.com is invited to ORG, is a member, or neither, because the look-up failed. The pages of the list of users of ORG did not fit together, 3 times in a row: people joined or left while it was read, or Atlas's totalCount is not the number of users that it lists. Run the command again.":
        ({ atlas, organization }) => {
          atlas.settings.countsDiffer = true;
          for (let index = 0; index < 501; index++) organization.addMember(`person${index}@example.com`);
          return read();
        },
      'ada@example.com in ORG: Atlas answered with the membership status "SUSPENDED", which this version does not know. Update pulumi-atlas-invitations.':
        suspended(ada, remove),
      // An answer is not what the endpoint promises, or none comes.
      "ada@example.com in ORG: POST /api/atlas/v2/orgs/ORG/invites answered 200: the response does not match the API: its property username is missing or of another type. Check the base URL, if you set one, and that no proxy answers in place of Atlas.":
        failing({ method: "POST", status: 200, body: { id: team }, times: always }, create),
      [`${DELETE} answered 200: the response does not match the API: it holds HTML. Check the base URL, if you set one, and that no proxy answers in place of Atlas.`]:
        failedDelete({ status: 200, body: "<html>" }),
      [`${DELETE} answered 400: HTML instead of Atlas's JSON.`]: failedDelete({
        status: 400,
        body: "<html>",
      }),
      [`${DELETE} answered 400: no reason given.`]: failedDelete({ status: 400, body: {} }),
      [`${DELETE}: the connection to URL failed: other side closed. Tried 6 times. ${CHECK_NETWORK}`]:
        failedDelete({ cut: "before", times: always }),
      [`ada@example.com in ORG: PATCH /api/atlas/v2/orgs/ORG/invites/ID: the answer, status 200, broke off: the connection to URL failed: other side closed. Tried 6 times. ${CHECK_NETWORK}`]:
        ({ atlas, organization }) => {
          organization.invite(ada);
          atlas.fail({ method: "PATCH", damage: "half body", times: always });
          return update(owner);
        },
      [`${DELETE}: the connection to http://127.0.0.1:1 failed: connect ECONNREFUSED 127.0.0.1:1. Tried 6 times. ${CHECK_NETWORK}`]:
        ({ settings }) => {
          settings["mongodbatlas:baseUrl"] = "http://127.0.0.1:1";
          return remove();
        },
      "ada@example.com in ORG: The certificate of URL is not trusted (self-signed certificate). If a proxy of your company inspects the traffic, set NODE_EXTRA_CA_CERTS to its certificate authority.":
        async (fixture) => {
          await fixture.atlas.stop();
          fixture.atlas = await SimulatedAtlas.start({ tls: true });
          fixture.settings["mongodbatlas:baseUrl"] = fixture.atlas.url;
          return remove();
        },
      "HTTPS_PROXY or HTTP_PROXY in the environment is not the URL of a proxy. Set it to one such as http://proxy.example.com:3128, or remove it.":
        () => {
          vi.stubEnv("http_proxy", "http://user:secret@[proxy");
          return remove();
        },
      // The limits of Atlas, and the end of the run.
      "The request for ada@example.com was not sent: it would have to wait for Atlas's limit of 10 invitations in 60 s, longer than one operation may wait. Run the command again later, or raise mongodbatlas:maxWait.":
        ({ atlas, settings }) => {
          settings["mongodbatlas:maxWait"] = "30s";
          atlas.fail({ method: "POST", ...answered(400, "INVITATIONS_RATE_LIMITED_IP") });
          return create();
        },
      [`${DELETE} answered 429 RATE_LIMITED: Atlas says why. The next attempt would be in 60 min, longer than one operation may wait. Run the command again later, or raise mongodbatlas:maxWait.`]:
        ({ atlas, settings }) => {
          settings["mongodbatlas:maxWait"] = "30s";
          atlas.fail({ ...answered(429, "RATE_LIMITED"), headers: { "Retry-After": "3600" } });
          return remove();
        },
      "The run was cancelled: nothing more is sent for ada@example.com. Run the command again.": async ({
        exitListeners,
      }) => {
        vi.spyOn(process, "exit").mockReturnValue(undefined as never);
        await read();
        exitListeners("SIGINT")[0]?.("SIGINT");
        return remove();
      },
      "ada@example.com in ORG: Atlas issued no access token for the service account: POST /api/oauth/token answered 401 invalid_client: Invalid credentials provided. Atlas does not accept the credentials read from the stack configuration (mongodbatlas:clientId and mongodbatlas:clientSecret): check them, and that they still exist.":
        ({ settings }) => {
          const account = { "mongodbatlas:clientId": "mdb_sa_id_1", "mongodbatlas:clientSecret": "wrong" };
          Object.assign(settings, account);
          return remove();
        },
      // The process.
      "pulumi-atlas-invitations needs Node.js 22.12 or later, or 20.19 or later in version 20, but runs on Node.js 20.18.0.":
        async () => assertNodeVersion("20.18.0"),
      [`Pulumi does not find pulumi-atlas-invitations from ${tmpdir()}. Add "pulumi-atlas-invitations", in the version that the program uses, to the dependencies in ${join(tmpdir(), "package.json")}.`]:
        async () => assertPackageFound(tmpdir()),
    }),
  )("%s", async (text, run) => {
    expect(await messageFrom(run(fixture))).toBe(text);
  });
});

describe("an answer of Atlas is displayed as", () => {
  const key = "the stack configuration (mongodbatlas:publicKey and mongodbatlas:privateKey)";
  const gone =
    "If the organization is gone, pulumi state delete and the URN forgets the resource; the resource option deletedWith does so for all resources of an organization that the program declares.";

  test.each(
    Object.entries({
      "401": `Atlas does not accept the credentials read from ${key}: check them, and that they still exist.`,
      "403 UNEXPECTED_ERROR": `The credentials read from ${key} may not do this: check that they have the role Organization Owner, and their access list.`,
      "405": "Atlas, or a proxy in front of it, has a failure: try again later.",
      "302": "Check the base URL, if you set one, and that no proxy answers in place of Atlas.",
      "400 A_CODE_OF_TOMORROW": "",
      "403 IP_ADDRESS_NOT_ON_ACCESS_LIST":
        "Add the address of this machine to the access list of the API key or service account, in the organization's Access Manager.",
      "401 NOT_ORG_OWNER":
        "The API key or service account needs the role Organization Owner in this organization.",
      "404 GROUP_NOT_FOUND": "Check groupRoleAssignments: the organization has no such project.",
      "404 TEAM_NOT_FOUND": "Check teamIds: the organization has no such team.",
      "403 CANNOT_DEMOTE_LAST_ORG_OWNER":
        'An organization needs an owner: make another member an owner first. Or set onAccepted to "retain" and run pulumi up: destroying the resource then keeps this member.',
      "400 FEDERATED_USER_ATTRIBUTES_CANNOT_BE_UPDATED":
        'An identity provider manages the roles of this person: change them there, declare what Atlas has, or set onAccepted to "retain".',
      "401 USER_CANNOT_ACCESS_ORG": `The API key or service account belongs to another organization: check orgId, or use one of this organization. ${gone}`,
      "404 ORG_NOT_FOUND": `Check orgId: there is no such organization for this API key or service account. ${gone}`,
      "403 access_denied":
        "Wait until some of its tokens expire, within the hour, or share the work with another service account.",
      "400 DOMAIN_NOT_IN_ALLOW_LIST":
        "The organization's federation settings do not allow this address: invite another one, or change the settings.",
      "400 MAX_USERS_PER_ORG_EXCEEDED":
        "The organization is full: remove members or cancel invitations, which count too, or ask the vendor for a higher limit.",
    }),
  )("%s: Atlas says why. %s", async (answer, nextSteps) => {
    const [status, errorCode] = answer.split(" ");
    fixture.atlas.fail(answered(Number(status), errorCode));
    const text = [`${DELETE} answered ${answer}: Atlas says why.`, nextSteps].filter(Boolean).join(" ");
    expect(await messageFrom(remove())).toBe(text);
  });
});

describe("wrong settings are displayed as", () => {
  const origin = "Set it to an origin, such as https://cloud.mongodb.com.";

  test.each(
    Object.entries<Properties>({
      "There are no credentials for Atlas. Set MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY, or MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET, in the environment. Or set mongodbatlas:publicKey and mongodbatlas:privateKey, or mongodbatlas:clientId and mongodbatlas:clientSecret, in the stack configuration; use pulumi config set --secret for the private key and the secret.":
        { publicKey: "", privateKey: "" },
      "mongodbatlas:publicKey is set in the stack configuration, but mongodbatlas:privateKey is not. Set both there, or neither.":
        { privateKey: "" },
      "mongodbatlas:publicKey in the arguments of the AtlasProvider is the id of a service account, not the public key of an API key. Set it as mongodbatlas:clientId, with its secret as mongodbatlas:clientSecret.":
        { publicKey: "mdb_sa_id_1", explicitProvider: "true" },
      "mongodbatlas:accessToken in the stack configuration is not an access token: it contains characters that never occur in one. Copy it again from Atlas, Organization Access Manager.":
        { accessToken: "a b" },
      "The v1.0 API accepts API keys only, but the credentials are from the stack configuration (mongodbatlas:accessToken). Set an API key instead, or the invitations API to v2.":
        { accessToken: "token", invitationsApi: "v1.0" },
      'mongodbatlas:invitationsApi is "v3", which is not a version of the invitations API. Set it to one of "v2", "v1.0", "users".':
        { invitationsApi: "v3" },
      [`mongodbatlas:baseUrl is not a URL. ${origin}`]: { baseUrl: "cloud.mongodb.com" },
      [`mongodbatlas:baseUrl does not begin with https://, which protects the credentials. ${origin}`]: {
        baseUrl: "http://cloud.mongodb.com",
      },
      [`mongodbatlas:baseUrl has more than a scheme, a host and a port. ${origin}`]: {
        baseUrl: "https://cloud.mongodb.com/api",
      },
      "mongodbatlas:isMongodbgovCloud is true, but mongodbatlas:baseUrl is another server. Remove one of them.":
        { isMongodbgovCloud: true },
      'mongodbatlas:isMongodbgovCloud is "yes", which is neither true nor false. Set it to one of them.': {
        isMongodbgovCloud: "yes",
      },
      'mongodbatlas:maxWait is "1d", which is not a duration. Set it to one such as 90s, 30m or 1h.': {
        maxWait: "1d",
      },
    }),
  )("%s", async (text, settings) => {
    for (const [name, value] of Object.entries(settings)) fixture.settings[`mongodbatlas:${name}`] = value;
    expect(await messageFrom(read())).toBe(text);
  });
});

describe("notices are displayed as", () => {
  const isTheResource = { __resource: "the URN" };

  test.each(
    Object.entries<Run>({
      // What the creation adopts.
      "ada@example.com was already invited to ORG, by owner@example.com: the resource adopted the invitation, which expires on DATE, and no other e-mail is sent. Deleting the resource will cancel the invitation that owner@example.com sent.":
        given(invited, create),
      "ada@example.com was already invited to ORG: the resource adopted the invitation, and no other e-mail is sent. Deleting the resource will cancel that invitation.":
        listed(ada, ({ inviterUsername: _, expiresAt: __, ...view }) => view, create),
      'ada@example.com is already a member of ORG: the resource adopted the member, and no invitation is sent. Deleting the resource will remove the member from the organization; set onAccepted to "retain" to keep the member.':
        given(member, () => create(manage)),
      "ada@example.com is already a member of ORG: the resource adopted the member, and no invitation is sent. Deleting the resource will keep the member.":
        given(member, () => create(retain)),
      "The invitation of ada@example.com to ORG was sent, although its answer was lost.": failing(
        { method: "POST", cut: "after" },
        create,
      ),
      // What an operation leaves as it is.
      "ada@example.com stays a member of ORG. Only the resource is deleted.": given(member, () =>
        remove(retain),
      ),
      [`ada@example.com is a member of ORG without teamIds ${team}, which is declared. onAccepted "retain" does not change a member, "manage" does.`]:
        () => update({ ...retain, teamIds: [team] }, { status: "ACCEPTED", __declared: { teamIds: [team] } }),
      "warning: ada@example.com in ORG: Atlas grants roles ORG_READ_ONLY in addition to what is declared. This was not changed. If an identity provider grants it, change it there.":
        ({ atlas, organization }) => {
          organization.addMember(ada);
          atlas.settings.addsRoles = ["ORG_READ_ONLY"];
          return update(owner, { status: "ACCEPTED", ...manage });
        },
      "Another resource declares ada@example.com in ORG now. Nothing was sent for the resource that is deleted.":
        async () => {
          const stored = fixture.stored();
          await create();
          fixture.lines.length = 0;
          await provider.delete("id", stored);
        },
      "ada@example.com was invited to ORG again, because the resource was replaced. Its outputs show the new invitation after the next read.":
        () => replace(),
      "warning: ada@example.com was invited to ORG, but without everything that is declared: PATCH /api/atlas/v2/orgs/ORG/invites/ID answered 400: Atlas says why.\nada@example.com was invited to ORG again, because the resource was replaced. Its outputs show the new invitation after the next read.":
        ({ atlas }) => {
          atlas.onRequest(({ method }) => {
            if (method === "DELETE") atlas.settings.addsRoles = ["ORG_READ_ONLY"];
          });
          atlas.fail({ method: "PATCH", ...answered(400) });
          return replace();
        },
      // What a look-up finds.
      "Atlas has the address lovelace@example.com for ada@example.com in ORG. The id shows that it is the same person.":
        ({ organization }) => {
          organization.invite("lovelace@example.com");
          return read({ invitationId: fixture.organization.find("lovelace@example.com")?.invitationId });
        },
      "warning: An entry about grace@example.com in Atlas's list of the people of ORG was skipped: its property roles is missing or of another type.":
        listed(grace, (view) => ({ ...view, roles: null }), read),
      "warning: An entry in Atlas's list of the people of ORG was skipped: it is not an object.": listed(
        grace,
        () => null,
        read,
      ),
      'warning: grace@example.com in ORG has the status "SUSPENDED", which this version does not know. Update pulumi-atlas-invitations.':
        suspended(grace, read),
      "warning: ada@example.com has an invitation to a project of ORG, from owner@example.com. It is not an invitation to the organization, and is not changed.":
        given(invitedToProject, read),
      "warning: ada@example.com has an invitation to a project of ORG. It is not an invitation to the organization, and is not changed.":
        given((organization) => {
          invitedToProject(organization);
          organization.rewrite(ada, ({ inviterUsername: _, ...view }) => view);
        }, read),
      "warning: Atlas has retired the v2 API of invitations. The users API is used instead.": ({ atlas }) => {
        atlas.sunset();
        return read();
      },
      // What waits, and each request.
      "Retrying the request for the list of invitations in 30 s: GET /api/atlas/v2/orgs/ORG/invites answered 503: Atlas says why. Atlas, or a proxy in front of it, has a failure: try again later.":
        failing({ ...answered(503), headers: { "Retry-After": "30" } }, read),
      "Waiting for Atlas's limit of requests: the list of invitations, about 29 s left.": failing(
        { ...answered(429), headers: { "Retry-After": "30" } },
        read,
      ),
      "Waiting for Atlas's limit of 10 invitations in 60 s: ada@example.com, about 59 s left.": failing(
        { method: "POST", ...answered(400, "INVITATIONS_RATE_LIMITED_IP") },
        create,
      ),
      "DELETE /api/atlas/v2/orgs/ORG/invites/ID 204 0 ms, attempt 1": ({ organization, settings }) => {
        organization.invite(ada);
        settings["mongodbatlas:debug"] = "true";
        return remove();
      },
      // What the check of arguments accepts.
      "warning: The role ORG_WIZARD of ada@example.com is unknown to this version. It is sent to Atlas unchanged.":
        () => provider.check({}, { ...news, roles: ["ORG_WIZARD"] }),
      "warning: The role ORG_WIZARD of a person whose address is not known yet is unknown to this version. It is sent to Atlas unchanged.":
        () => provider.check({}, { ...news, username: UNKNOWN, roles: ["ORG_WIZARD"] }),
    }),
  )("%s", async (text, run) => {
    await run(fixture);
    expect(fixture.lines.map(normalized).join("\n")).toBe(text);
  });

  /** A forced replacement: the engine creates the new copy of the resource, then deletes the old one. */
  async function replace(): Promise<void> {
    const { inputs = {} } = await provider.check({}, { ...news, ...isTheResource });
    const { id, outs } = await provider.create({ ...inputs, __provider });
    fixture.nextRun();
    await provider.check({}, { ...news, ...isTheResource });
    await provider.create({ ...inputs, __provider });
    fixture.lines.length = 0;
    await provider.delete(id, { ...outs, __provider });
  }
});
