import assert from "node:assert/strict";
import { test } from "node:test";
import { identityOf } from "../../../supervisor/process/accounts.ts";

const accounts = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nacme:x:911:922:Acme:/nonexistent:/usr/sbin/nologin\n",
  group: "root:x:0:\nacme:x:922:\ndisk:x:6:acme,other\nkvm:x:104:other\naudio:x:29:otheracme\n",
};
const package_ = { name: "acme-snapshots", user: undefined, groups: [] };

test("a user by name brings its own group and those it is a member of", () => {
  assert.deepEqual(identityOf({ ...package_, user: "acme" }, accounts), { uid: 911, gid: 922, groups: [6] });
});

test("a user by number is the account of that number", () => {
  assert.deepEqual(identityOf({ ...package_, user: "911" }, accounts), { uid: 911, gid: 922, groups: [6] });
});

test("a number without an account is its own group", () => {
  assert.deepEqual(identityOf({ ...package_, user: "4000000" }, accounts), { uid: 4000000, gid: 4000000, groups: [] });
});

test("groups of the package come on top, by name or number", () => {
  const identity = identityOf({ ...package_, user: "acme", groups: ["kvm", "44", "disk"] }, accounts);
  assert.deepEqual(identity?.groups, [6, 104, 44]);
});

test("groups alone are added to the daemon's own", () => {
  const identity = identityOf({ ...package_, groups: ["kvm"] }, accounts);
  assert.equal(identity?.uid, process.getuid?.());
  assert.ok(identity?.groups.includes(104));
});

test("a package that asks for nothing runs as the daemon", () => {
  assert.equal(identityOf(package_, accounts), undefined);
});

test("an unknown user or group is named, with what to do", () => {
  assert.throws(
    () => identityOf({ ...package_, user: "nobody-here" }, accounts),
    /user nobody-here is not known.*useradd --system nobody-here.*packages\.acme-snapshots\.user/,
  );
  assert.throws(
    () => identityOf({ ...package_, groups: ["no-group"] }, accounts),
    /group no-group is not known.*groupadd/,
  );
});
