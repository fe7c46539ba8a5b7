import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionTransitions } from "../../../supervisor/router/connection-states.ts";
import { mayReceive, maySend, streamTransitions } from "../../../supervisor/router/stream-states.ts";

/** state, event, next state. */
const streamCells = [
  ["open", "send-end", "half-closed-local"],
  ["open", "receive-end", "half-closed-remote"],
  ["open", "reset", "closed"],
  ["half-closed-local", "send-end", "half-closed-local"],
  ["half-closed-local", "receive-end", "closed"],
  ["half-closed-local", "reset", "closed"],
  ["half-closed-remote", "send-end", "closed"],
  ["half-closed-remote", "receive-end", "half-closed-remote"],
  ["half-closed-remote", "reset", "closed"],
  ["closed", "send-end", "closed"],
  ["closed", "receive-end", "closed"],
  ["closed", "reset", "closed"],
] as const;

const connectionCells = [
  ["open", "announce", "leaving"],
  ["leaving", "announce", "leaving"],
  ["leaving", "drain", "draining"],
  ["leaving", "end", "closed"],
  ["draining", "announce", "draining"],
  ["closed", "announce", "closed"],
  ["open", "drain", "draining"],
  ["open", "end", "closed"],
  ["draining", "drain", "draining"],
  ["draining", "end", "closed"],
  ["closed", "drain", "closed"],
  ["closed", "end", "closed"],
] as const;

/** The cells of a table in words, sorted. */
function cellsOf(table: Readonly<Record<string, Readonly<Record<string, string>>>>): string[] {
  return Object.entries(table)
    .flatMap(([state, events]) => Object.entries(events).map(([event, next]) => `${state} + ${event}: ${next}`))
    .sort();
}

function words(cells: readonly (readonly [string, string, string])[]): string[] {
  return cells.map(([state, event, next]) => `${state} + ${event}: ${next}`).sort();
}

test("a stream answers every event in every state, and there are no others", () => {
  assert.deepEqual(cellsOf(streamTransitions), words(streamCells));
});

test("a connection answers every event in every state, and there are no others", () => {
  assert.deepEqual(cellsOf(connectionTransitions), words(connectionCells));
});

test("who may still send follows from the state", () => {
  const may = Object.keys(streamTransitions).map((state) => {
    const known = state as keyof typeof streamTransitions;
    return [state, mayReceive(known), maySend(known)];
  });
  assert.deepEqual(may, [
    ["open", true, true],
    ["half-closed-local", true, false],
    ["half-closed-remote", false, true],
    ["closed", false, false],
  ]);
});

test("a reset or an end closes whatever the state", () => {
  for (const events of Object.values(connectionTransitions)) assert.equal(events.end, "closed");
  for (const events of Object.values(streamTransitions)) assert.equal(events.reset, "closed");
});
