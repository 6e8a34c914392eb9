/**
 * StateDelta: what has changed of a room's state since it was last written. A state is compared by reference with what
 * was written, field by field; lists that grow at their end and shrink anywhere, and maps, are compared item by item, so
 * that a delta is as large as the change and not as the state.
 */

import type { OutboxItem } from "./room_state.ts";

/** Fields whose items are compared: those of a map by key, those of a list in their order. */
const mapFields = ["chains", "last", "files"] as const;
const listFields = ["held", "tail", "said", "liars", "fileHolders"] as const;

type Fields = Readonly<Record<string, unknown>>;

/** Places of a list that are gone (from, how many), and what stands at its end. */
interface ListDelta {
  readonly gone: readonly (readonly [number, number])[];
  readonly added: readonly unknown[];
}

/** What an outbox item becomes. */
type ItemChange = Pick<OutboxItem, "sealed" | "failed">;

/** As it is written. */
export interface StateDelta {
  readonly set?: Fields;
  readonly unset?: readonly string[];
  readonly maps?: Readonly<Record<string, { readonly set: Fields; readonly unset: readonly string[] }>>;
  readonly lists?: Readonly<Record<string, ListDelta>>;
  readonly outbox?: ListDelta & { readonly changed: readonly (readonly [number, ItemChange])[] };
}

/** A state as it was written: what is changed in place is copied. */
export interface Written {
  readonly fields: Fields;
  readonly outbox: readonly (ItemChange & { readonly item: OutboxItem })[];
}

/** Takes down what is being written. */
export function written({ outbox, ...fields }: Fields & { readonly outbox: readonly OutboxItem[] }): Written {
  const kept: Record<string, unknown> = { ...fields };
  for (const name of listFields) if (Array.isArray(kept[name])) kept[name] = [...kept[name]];
  return { fields: kept, outbox: outbox.map((item) => ({ item, sealed: item.sealed, failed: item.failed })) };
}

/** The state that was taken down. */
export function stateOf({ fields, outbox }: Written): Record<string, unknown> {
  return { ...fields, outbox: outbox.map(({ item, sealed, failed }) => ({ ...item, sealed, failed })) };
}

/** What leads from one to the other. */
export function deltaOf(before: Written, after: Written): StateDelta {
  const delta: { -readonly [K in keyof StateDelta]: StateDelta[K] } = {};
  const set: Record<string, unknown> = {}, unset: string[] = [];
  const maps: Record<string, { set: Fields; unset: string[] }> = {}, lists: Record<string, ListDelta> = {};
  for (const name of new Set([...Object.keys(before.fields), ...Object.keys(after.fields)])) {
    const [old, now] = [before.fields[name], after.fields[name]];
    if (old === now) continue;
    if (now === undefined) unset.push(name);
    else if (isOneOf(mapFields, name) && isMap(old) && isMap(now)) maps[name] = mapDelta(old, now);
    else if (isOneOf(listFields, name) && Array.isArray(old) && Array.isArray(now)) {
      const change = listDelta(old, now);
      if (change) lists[name] = change;
    } else set[name] = now;
  }
  if (Object.keys(set).length > 0) delta.set = set;
  if (unset.length > 0) delta.unset = unset;
  if (Object.keys(maps).length > 0) delta.maps = maps;
  if (Object.keys(lists).length > 0) delta.lists = lists;
  const outbox = outboxDelta(before.outbox, after.outbox);
  if (outbox) delta.outbox = outbox;
  return delta;
}

/** Carries a delta out on a state that was read. */
export function applyDelta(state: Record<string, unknown>, delta: StateDelta): void {
  Object.assign(state, delta.set);
  for (const name of delta.unset ?? []) delete state[name];
  for (const [name, { set, unset }] of Object.entries(delta.maps ?? {})) {
    const map: Record<string, unknown> = { ...state[name] as Fields, ...set };
    for (const key of unset) delete map[key];
    state[name] = map;
  }
  for (const [name, change] of Object.entries(delta.lists ?? {})) {
    state[name] = applyList(state[name] as unknown[], change);
  }
  if (!delta.outbox) return;
  const outbox = applyList(state.outbox as OutboxItem[], delta.outbox) as OutboxItem[];
  for (const [i, change] of delta.outbox.changed) outbox[i] = { ...outbox[i], ...change };
  state.outbox = outbox;
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

function isMap(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapDelta(before: Fields, after: Fields): { set: Fields; unset: string[] } {
  const set: Record<string, unknown> = {};
  for (const key in after) if (before[key] !== after[key]) set[key] = after[key];
  return { set, unset: Object.keys(before).filter((key) => !(key in after)) };
}

function listDelta(before: readonly unknown[], after: readonly unknown[]): ListDelta | null {
  const gone: [number, number][] = [];
  let at = 0;
  for (let i = 0; i < before.length; i++) {
    if (at < after.length && after[at] === before[i]) {
      at++;
      continue;
    }
    const last = gone.at(-1);
    if (last && last[0] + last[1] === i) last[1]++;
    else gone.push([i, 1]);
  }
  return gone.length === 0 && at === after.length ? null : { gone, added: after.slice(at) };
}

function outboxDelta(before: Written["outbox"], after: Written["outbox"]): StateDelta["outbox"] | null {
  const [old, now] = [before, after].map((list) => list.map(({ item }) => item));
  const change = listDelta(old, now);
  const known = new Map(before.map((each) => [each.item, each]));
  const stayed = now.length - (change?.added.length ?? 0);
  const changed: [number, ItemChange][] = [];
  for (let i = 0; i < stayed; i++) {
    const { item, sealed, failed } = after[i];
    const was = known.get(item)!;
    if (was.sealed !== sealed || was.failed !== failed) changed.push([i, { sealed, failed }]);
  }
  return change || changed.length > 0 ? { ...change ?? { gone: [], added: [] }, changed } : null;
}

function applyList(list: readonly unknown[], { gone, added }: ListDelta): unknown[] {
  const left = [...list];
  for (const [from, count] of gone.toReversed()) left.splice(from, count);
  left.push(...added);
  return left;
}
