// A chart over time.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { languageTag } from "../i18n";

/** A CSS variable of the page, such as "--accent". */
export interface Line {
  colour: string;
  values: (number | null)[];
  dashed?: boolean;
}

interface Props {
  /** Start of each step and its length, in seconds. */
  times: number[];
  step: number;
  lines: Line[];
  /** Stacked bars, the first at the bottom; otherwise lines. */
  stacked?: boolean;
  format: (value: number) => string;
  /** Minimum of the y axis's upper end. */
  least: number;
  whole?: boolean;
  /** The step under the pointer. */
  hover: (index: number | null) => void;
}

/** Resolves CSS variables, which a canvas does not know, for the current theme. */
function useColours(): (name: string) => string {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const changed = () => setTurn((n) => n + 1);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    window.addEventListener("themechange", changed);
    dark.addEventListener("change", changed);
    return () => {
      window.removeEventListener("themechange", changed);
      dark.removeEventListener("change", changed);
    };
  }, []);
  const resolved = useRef<{ turn: number; of: (name: string) => string }>(undefined);
  if (resolved.current?.turn !== turn) resolved.current = { turn, of: (name) => resolve(name) };
  return resolved.current.of;
}

function resolve(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

const height = 180;

export function Chart(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const colour = useColours();
  const kind = `${props.step} ${props.lines.length} ${props.stacked}`;
  useEffect(() => {
    const place = box.current!;
    const made = new uPlot(options(latest, colour, place.clientWidth), data(latest.current), place);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height }));
    watch.observe(place);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [kind, colour]);
  useEffect(() => {
    plot.current!.setData(data(props));
  }, [props.times, props.lines]);
  // The page has the same figures as a table.
  return <div class="chart" ref={box} aria-hidden="true" />;
}

/** A stack's topmost series is drawn first, and those below cover it. */
function data(props: Props): uPlot.AlignedData {
  if (!props.stacked) return [props.times, ...props.lines.map((l) => l.values)];
  const sums: number[][] = [];
  for (const line of props.lines) {
    const below = sums.at(-1);
    sums.push(line.values.map((v, i) => (v ?? 0) + (below?.[i] ?? 0)));
  }
  return [props.times, ...sums.reverse()];
}

function options(latest: { current: Props }, colour: (name: string) => string, width: number): uPlot.Options {
  const { stacked, step, lines, format, least, whole } = latest.current;
  const [quiet, grid] = [colour("--quiet"), colour("--line")];
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: quiet, font, ticks: { show: false } };
  const bars = uPlot.paths.bars!({ align: 1, size: [0.78, 40] });
  const drawn = stacked ? [...lines].reverse() : lines;
  return {
    width, height,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [latest.current.times[0]!, latest.current.times.at(-1)! + step] },
      y: { range: (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.08)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 30, values: (_, splits) => splits.map(timeLabel) },
      { ...axis, grid: { stroke: grid, width: 1 }, size: whole ? 46 : 66, gap: 6, space: 28, values: (_, splits) => splits.map((v) => (whole && v % 1 ? "" : format(v))) },
    ],
    series: [{}, ...drawn.map((line): uPlot.Series => stacked
      ? { fill: colour(line.colour), width: 0, paths: bars, points: { show: false } }
      : { stroke: colour(line.colour), width: 2, dash: line.dashed ? [5, 4] : undefined, points: { show: true, size: 5, width: 0, fill: colour(line.colour), filter: lonely } })],
    hooks: {
      setCursor: [(u) => {
        const { times, hover } = latest.current;
        const at = u.cursor.left ?? -1;
        const index = at < 0 ? -1 : Math.floor((u.posToVal(at, "x") - times[0]!) / step);
        hover(index >= 0 && index < times.length ? index : null);
      }],
    },
  };
}

/** Values without a neighbour, which a line would not show. */
function lonely(u: uPlot, series: number): number[] {
  const values = u.data[series]!;
  return Array.from(values.keys()).filter((i) => values[i] != null && values[i - 1] == null && values[i + 1] == null);
}

/** The time of day, or the date at midnight. */
function timeLabel(seconds: number): string {
  const at = new Date(seconds * 1000);
  if (at.getHours() === 0 && at.getMinutes() === 0) return at.toLocaleDateString(languageTag(), { month: "short", day: "numeric" });
  return at.toLocaleTimeString(languageTag(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
