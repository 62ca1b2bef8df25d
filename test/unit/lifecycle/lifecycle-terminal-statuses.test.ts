import { describe, expect, test } from "vitest";
import { propertiesOf } from "../../../provider/lifecycle/stored-properties.ts";
import { APIS, ada, refusal } from "./lifecycle-fixture.ts";

describe.each(APIS)("on $apiVersion", (api) => {
  describe.each([
    { status: "EXPIRED", end: "expire" },
    { status: "REJECTED", end: "reject" },
  ] as const)("an invitation that the state has as $status", ({ status, end }) => {
    test.each([
      { since: "nothing has happened", now: "PENDING" },
      { since: "a colleague has invited the person again", invited: true, now: "PENDING" },
      { since: "the person has accepted a later invitation", invited: true, accepted: true, now: "ACCEPTED" },
    ])("is deleted without a request and then replaced where $since", async ({ invited, accepted, now }) => {
      const options = { onAccepted: "manage" } as const;
      const { organization, atlas, inputs, connected, refresh, expectNoChange, requests, ...fixture } =
        await api.setup(options);
      const created = await fixture.invited({ reinviteExpired: true });
      organization[end](ada);
      // It is unknown whether Atlas still answers what the invitation granted.
      organization.rewrite(ada, (view) => ({ ...view, roles: {} }));
      const ended = await refresh(created);
      organization.rewrite(ada, (view) => view);
      const access = { roles: ["ORG_MEMBER"], declared: { roles: ["ORG_MEMBER"] } };
      expect(ended).toMatchObject({ status, ...access });

      if (invited) organization.invite(ada);
      if (accepted) organization.accept(ada);
      const run = connected();
      await expectNoChange(() => run.delete(ended));
      expect(requests()).toEqual([]);
      const replace = () => run.create(inputs({ reinviteExpired: true }));
      const replaced = await (invited ? expectNoChange(replace) : replace());
      expect(replaced.status).toBe(now);
      expect(atlas.mails).toHaveLength(2);
    });
  });

  test("a member who left is not invited again", async () => {
    const options = { onAccepted: "manage" } as const;
    const { organization, accepted, update, connected, expectNoChange } = await api.setup(options);
    const state = await accepted();
    organization.removeMember(ada);
    await expectNoChange(async () => {
      const message = expect.stringContaining("is no longer a member");
      const updated = update(state, { roles: ["ORG_OWNER"] });
      await expect(updated).rejects.toMatchObject({ ...refusal("update", "nothing"), message });
      await connected().delete(state);
    });
  });

  test("fields that Atlas leaves out are missing from notices, errors and properties", async () => {
    const { organization, invited, refresh, update, notices } = await api.setup();
    const optional = /^inviterUsername$|createdAt$|expiresAt$|^orgName$/i;
    const required = (entry: [string, unknown]) => !optional.test(entry[0]);
    organization.rewrite(ada, (view) => Object.fromEntries(Object.entries(view).filter(required)));
    organization.invite(ada);
    const adopted = await invited();
    const read = await refresh(adopted);
    const updated = await update(read, { roles: ["ORG_OWNER"] });
    organization.cancel(ada);
    const created = await invited();
    organization.expire(ada);
    const expired = await refresh(created);
    const changed = update(expired, { roles: ["ORG_OWNER"] });
    await expect(changed).rejects.toThrow("expired, so it can no longer be changed");
    expect(notices).toEqual([expect.stringContaining("will cancel that invitation")]);
    expect(notices[0]).not.toMatch(/undefined|, by|expires/);
    const states = [adopted, read, updated, created, expired];
    expect(states.map(({ status }) => status)).toEqual([...Array(4).fill("PENDING"), "EXPIRED"]);
    const names = states.flatMap((state) => Object.keys(propertiesOf(state)));
    expect(names.filter((name) => optional.test(name))).toEqual([]);
  });
});
