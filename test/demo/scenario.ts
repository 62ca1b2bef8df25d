import { isDeepStrictEqual } from "node:util";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import type { Scene } from "./demo-context.ts";
import { transcript, WireTap } from "./wire-tap.ts";

interface Chapter {
  title: string;
  text: string;
  play(scene: Scene): Promise<void>;
}

/** Up to where somebody can go on by hand: people are invited, and things have happened to them since. */
export const BEGINNING: readonly Chapter[] = [
  {
    title: "The plan",
    text: "examples/basic declares five people. A review shows what will happen, and asks Atlas nothing.",
    async play(scene) {
      await scene.run(`config set orgId ${scene.organization.id}`);
      const { requests } = await scene.run("preview");
      scene.narrator.check("a plan needs no request", requests.length === 0);
    },
  },
  {
    title: "The invitations",
    text: "In the meantime margaret has invited barbara by hand, with another role: that invitation is adopted.",
    async play(scene) {
      scene.organization.invite("barbara@example.com", {
        roles: ["ORG_READ_ONLY"],
        inviterUsername: "margaret@example.com",
      });
      const { mailed, requests, text } = await scene.run("up --yes --skip-preview");
      const others = ["ada", "edsger", "grace", "joan"].map((name) => `${name}@example.com`);
      scene.narrator.check(
        "four people got one e-mail each, barbara no second one",
        isDeepStrictEqual(mailed, others) && text.includes("barbara@example.com was already invited"),
      );
      scene.narrator.check(
        "four invitations were sent, and barbara's was brought to the declared role",
        isDeepStrictEqual(changes(requests), ["PATCH invites", ...Array(4).fill("POST invites")]) &&
          isDeepStrictEqual(scene.organization.find("barbara@example.com")?.roles, ["ORG_MEMBER"]),
      );
    },
  },
  {
    title: "In Atlas, weeks later",
    text: "People do what people do, and Pulumi is not told.",
    async play({ organization, narrator }) {
      organization.accept("ada@example.com");
      narrator.event("ada accepts her invitation");
      organization.change("grace@example.com", { roles: ["ORG_OWNER"] });
      narrator.event("a colleague makes grace an owner, in the UI");
      organization.reject("joan@example.com");
      narrator.event("joan declines");
      organization.expire("edsger@example.com");
      narrator.event("edsger does nothing for 30 days: his invitation expires");
    },
  },
];

/** What follows. */
export const REST: readonly Chapter[] = [
  {
    title: "What became of them",
    text: "The next plan shows all four before anything is done: in a pull request, say.",
    async play(scene) {
      const { text, requests } = await scene.run("preview --refresh --diff");
      const became = (status: string) => new RegExp(`status *: "PENDING" => "${status}"`).test(text);
      scene.narrator.check(
        "ada has accepted, joan has declined, edsger's invitation has expired",
        ["ACCEPTED", "REJECTED", "EXPIRED"].every(became),
      );
      scene.narrator.check(
        "grace gets her roles back, and edsger, who has reinviteExpired, a new invitation",
        /"ORG_MEMBER"\]? => \[?"ORG_OWNER"/.test(text) && /replace/.test(text),
      );
      scene.narrator.check(
        "two lists told of everybody",
        isDeepStrictEqual(
          requests.filter(({ authenticated }) => authenticated).map(({ method }) => method),
          ["GET", "GET"],
        ),
      );
    },
  },
  {
    title: "Put right",
    text: "What was shown is done. Who accepted and who declined is left alone.",
    async play(scene) {
      const { requests, mailed } = await scene.run("up --refresh --yes --skip-preview");
      scene.narrator.check(
        "one change and one invitation, with its e-mail",
        isDeepStrictEqual(changes(requests), ["PATCH invites", "POST invites"]) &&
          isDeepStrictEqual(mailed, ["edsger@example.com"]),
      );
    },
  },
  {
    title: "Destroyed, as far as may be",
    text: "Pending invitations are cancelled. Nobody has said what is to become of a member, so ada stays.",
    async play(scene) {
      const { text } = await scene.fail("destroy --yes --skip-preview --continue-on-error");
      const { id } = scene.organization;
      scene.narrator.check(
        "it says why, and what to do",
        text.includes(
          `ada@example.com has accepted the invitation to ${id}, so it can no longer be deleted. Set onAccepted to "retain" (keep the member, forget the invitation) or "manage" (remove the member), run pulumi up, then destroy again.`,
        ),
      );
      scene.narrator.check(
        "the others' invitations are cancelled; ada is a member as before",
        isDeepStrictEqual(scene.people(), ["ada ACTIVE", "joan INVITATION_REJECTED"]),
      );
    },
  },
  {
    title: "The choice",
    text: "Whom this program invites, it is to remove as well. Only ada is updated: a whole up would invite the others again.",
    async play(scene) {
      await scene.run("config set onAccepted manage");
      const { requests } = await scene.run("up --yes --skip-preview --target '**ada' --suppress-outputs");
      scene.narrator.check("to choose needs no request", requests.length === 0);
    },
  },
  {
    title: "Destroyed",
    text: "Now ada is removed, as chosen.",
    async play(scene) {
      const { requests } = await scene.run("destroy --yes --skip-preview");
      scene.narrator.check(
        "one member is removed, and none is left",
        isDeepStrictEqual(changes(requests), ["DELETE users"]) &&
          isDeepStrictEqual(scene.people(), ["joan INVITATION_REJECTED"]),
      );
    },
  },
  {
    title: "DELETE /orgs/{ORG-ID}/invites/{INVITATION-ID}, on the wire",
    text: "The same program on the first generation of the API: everybody is invited again, then one cancelled. It manages no members now: to cancel whom it manages takes a look at the members, too.",
    async play(scene) {
      await scene.run("config set onAccepted fail");
      await scene.run("up --yes --skip-preview --suppress-outputs", V1);
      const invitation = scene.organization.find("grace@example.com")?.invitationId;
      const tap = await WireTap.start(scene.atlas.url);
      try {
        await scene.run("destroy --yes --skip-preview --target '**grace' --suppress-outputs", {
          ...V1,
          MONGODB_ATLAS_BASE_URL: tap.url,
        });
      } finally {
        await tap.stop();
      }
      scene.narrator.note(
        "All bytes of that command between the provider and Atlas, one-time values shortened:",
      );
      for (const line of tap.turns.flatMap(transcript)) scene.narrator.output(line);

      const path = `/api/atlas/v1.0/orgs/${scene.organization.id}/invites/${invitation}`;
      const heads = tap.turns.map(({ text }) => text.split("\r\n")[0]);
      const asked = `DELETE ${path} HTTP/1.1`;
      scene.narrator.check(
        "one authenticated DELETE, after one challenge, and nothing else",
        isDeepStrictEqual(heads, [asked, "HTTP/1.1 401 Unauthorized", asked, "HTTP/1.1 204 No Content"]),
      );
    },
  },
  {
    title: "2027-07-01: Atlas retires the invitations API",
    text: "Every request of it is answered 410. Neither the program nor its state has to change.",
    async play(scene) {
      scene.atlas.sunset();
      const goesOn = "Atlas has retired the v1.0 API of invitations: going on with the users API.";
      const up = await scene.run("up --refresh --yes --skip-preview --suppress-outputs", V1);
      scene.narrator.check(
        "who is invited stays so, and grace is invited again through the users API",
        up.text.includes(goesOn) &&
          isDeepStrictEqual(up.mailed, ["grace@example.com"]) &&
          isDeepStrictEqual(changes(up.requests), ["POST users"]),
      );
      const destroyed = await scene.run("destroy --yes --skip-preview", V1);
      scene.narrator.check(
        "all are cancelled: each was looked at first, as that API removes members, too",
        destroyed.text.includes(goesOn) &&
          isDeepStrictEqual(changes(destroyed.requests), Array(5).fill("DELETE users")) &&
          scene.people().length === 0,
      );
    },
  },
];

const V1 = { MONGODB_ATLAS_INVITATIONS_API: "v1.0" };

/** The requests that changed something, as "POST invites", sorted. */
function changes(requests: readonly LoggedRequest[]): string[] {
  return requests
    .filter(({ method, status = 0 }) => method !== "GET" && status < 300)
    .map(({ method, path }) => `${method} ${/\/(invites|users)\b/.exec(path)?.[1]}`)
    .sort();
}
