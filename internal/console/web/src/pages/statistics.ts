// Figures of a period, as charts and tables show them.
import type { MessageType, Statistics } from "../api";
import { type Outcome, outcomeOf, outcomes } from "./message-words";

export const ranges = { "1h": [3600, 60], "24h": [86_400, 900], "7d": [604_800, 3600], "30d": [2_592_000, 14_400] } as const;
export type Range = keyof typeof ranges;

export function isRange(text: string | null): text is Range {
  return text !== null && Object.hasOwn(ranges, text);
}

/** The route of a range's figures. Steps start at round times, so that they do not shift. */
export function statisticsPath(range: Range, connector: string, type: string, now = Date.now()): string {
  const [length, step] = ranges[range];
  const until = (Math.floor(now / 1000 / step) + 1) * step;
  const query = new URLSearchParams({ since: iso(until - length), until: iso(until), step: String(step) });
  if (connector) query.set("connector", connector);
  if (type) query.set("type", type);
  return `api/statistics?${query}`;
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

export type Counts = Record<Outcome, number>;

function none(): Counts {
  return { failed: 0, unknown: 0, sent: 0, waiting: 0 };
}

/** Sums by step of time. */
export function byTime(s: Statistics): Counts[] {
  const sums = s.latency.map(none);
  for (const { state, counts } of s.series) {
    counts.forEach((n, i) => { sums[i]![outcomeOf[state]] += n; });
  }
  return sums;
}

export function total(counts: Counts[]): Counts {
  const sum = none();
  for (const c of counts) for (const o of outcomes) sum[o] += c[o];
  return sum;
}

export interface Kind {
  connector: string;
  type: MessageType;
  counts: Counts;
}

/** Sums by connector and type, the largest first. */
export function byKind(s: Statistics): Kind[] {
  const kinds = new Map<string, Kind>();
  for (const { connector, type, state, counts } of s.series) {
    const key = JSON.stringify([connector, type]);
    const kind = kinds.get(key) ?? { connector, type, counts: none() };
    kind.counts[outcomeOf[state]] += counts.reduce((a, b) => a + b, 0);
    kinds.set(key, kind);
  }
  return [...kinds.values()].sort((a, b) => all(b.counts) - all(a.counts));
}

export function all(counts: Counts): number {
  return outcomes.reduce((n, o) => n + counts[o], 0);
}

/** The share of failures among finished messages, null if there are none. */
export function failureRate(counts: Counts): number | null {
  const ended = counts.sent + counts.failed + counts.unknown;
  return ended === 0 ? null : counts.failed / ended;
}
