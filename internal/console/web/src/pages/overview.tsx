// Figures and charts of a period.
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, type Statistics } from "../api";
import { formatNumber, languageTag, texts } from "../i18n";
import { Badge, explain, Notice, Tabs } from "../ui";
import { Chart } from "./chart";
import { useEvery } from "./live";
import { formatDuration, type Outcome, outcomes } from "./message-words";
import { all, byKind, byTime, type Counts, failureRate, type Kind, type Range, ranges, statisticsPath, total } from "./statistics";
import { usageTypeName } from "./template-names";

const t = texts({
  en: {
    title: "Overview", range: "Period", "1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days",
    sent: "Sent", failed: "Not sent", unknown: "Unknown", waiting: "Waiting", rate: "Failure rate", volume: "Mails", latency: "Time until accepted by Aliyun", p50: "Median (p50)", p95: "95th percentile (p95)", max: "Longest",
    whole: "whole period", nothing: "No messages in this period.", asTable: "As a table", time: "Time", kinds: "By connector and type", connector: "Connector", type: "Usage type", total: "Total",
    none: "–", loading: "Loading…", empty: "nothing sent", more: "and {n} more",
  },
  zh: {
    title: "概览", range: "时间范围", "1h": "1 小时", "24h": "24 小时", "7d": "7 天", "30d": "30 天",
    sent: "已发送", failed: "未发送", unknown: "结果不明", waiting: "等待中", rate: "失败率", volume: "邮件数", latency: "阿里云接受前的用时", p50: "中位数 (p50)", p95: "95 百分位 (p95)", max: "最长",
    whole: "整个时段", nothing: "这段时间内没有邮件。", asTable: "以表格显示", time: "时间", kinds: "按连接器和用途", connector: "连接器", type: "用途", total: "总数",
    none: "–", loading: "正在加载…", empty: "没有发送", more: "另有 {n} 项",
  },
  ja: {
    title: "概要", range: "表示期間", "1h": "1 時間", "24h": "24 時間", "7d": "7 日間", "30d": "30 日間",
    sent: "送信済み", failed: "未送信", unknown: "結果不明", waiting: "待機中", rate: "失敗率", volume: "メール数", latency: "Aliyun が受け付けるまでの時間", p50: "中央値 (p50)", p95: "95 パーセンタイル (p95)", max: "最長",
    whole: "期間全体", nothing: "この期間にメッセージはありません。", asTable: "表で表示", time: "時刻", kinds: "コネクターと用途別", connector: "コネクター", type: "用途", total: "合計",
    none: "–", loading: "読み込み中…", empty: "送信なし", more: "ほか {n} 件",
  },
});

const colours: Record<Outcome, string> = { failed: "--chart-failed", unknown: "--chart-unknown", sent: "--chart-sent", waiting: "--line-strong" };

/** Keeps the figures up to date. Old ones stay until new ones arrive. */
function useStatistics(range: Range, connector: string, type: string): { data?: Statistics; error?: unknown } {
  const [state, setState] = useState<{ data?: Statistics; error?: unknown }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const gone = new AbortController();
    get<Statistics>(statisticsPath(range, connector, type), gone.signal).then(
      (data) => gone.signal.aborted || setState({ data }),
      (error) => gone.signal.aborted || setState((s) => ({ ...s, error })),
    );
    return () => gone.abort();
  }, [range, connector, type, turn]);
  useEvery(30_000, () => setTurn((n) => n + 1));
  return state;
}

export function Overview(props: { range: Range; choose: (range: Range) => void; connector: string; type: string }) {
  const { data, error } = useStatistics(props.range, props.connector, props.type);
  const tabs = (Object.keys(ranges) as Range[]).map((r): [Range, string] => [r, t(r)]);
  return (
    <section class="card overview" aria-labelledby="overview">
      <header class="page-head">
        <h2 id="overview">{t("title")}</h2>
        <Tabs<Range> label={t("range")} tabs={tabs} chosen={props.range} choose={props.choose} />
      </header>
      {error !== undefined && <Notice kind="error">{explain(error)}</Notice>}
      {data ? <Figures data={data} /> : error === undefined && <p class="muted placeholder" role="status">{t("loading")}</p>}
    </section>
  );
}

function Figures(props: { data: Statistics }) {
  const { data } = props;
  const counts = useMemo(() => byTime(data), [data]);
  const kinds = useMemo(() => byKind(data), [data]);
  const sum = useMemo(() => total(counts), [counts]);
  const times = useMemo(() => counts.map((_, i) => Date.parse(data.since) / 1000 + i * data.step), [data]);
  const [hovered, setAt] = useState<number | null>(null);
  const at = hovered !== null && hovered < counts.length ? hovered : null; // the range may have changed meanwhile
  return (
    <>
      <Totals sum={sum} />
      {all(sum) === 0 ? <p class="muted placeholder">{t("nothing")}</p> : (
        <>
          <div class="charts">
            <Volume counts={counts} sum={sum} times={times} step={data.step} at={at} hover={setAt} />
            <Latency data={data} times={times} at={at} hover={setAt} />
          </div>
          <details><summary>{t("asTable")}</summary><TimeTable data={data} counts={counts} times={times} /></details>
          <KindTable kinds={kinds} />
        </>
      )}
    </>
  );
}

function percent(rate: number | null): string {
  if (rate === null) return t("none");
  return rate.toLocaleString(languageTag(), { style: "percent", maximumFractionDigits: rate > 0 && rate < 0.1 ? 1 : 0 });
}

function Totals(props: { sum: Counts }) {
  const shown: Outcome[] = ["sent", "failed", "unknown"];
  if (props.sum.waiting > 0) shown.push("waiting");
  return (
    <dl class="totals">
      {shown.map((o) => <div key={o} class={props.sum[o] > 0 ? o : ""}><dt>{t(o)}</dt><dd>{formatNumber(props.sum[o])}</dd></div>)}
      <div><dt>{t("rate")}</dt><dd>{percent(failureRate(props.sum))}</dd></div>
    </dl>
  );
}

interface At {
  times: number[];
  at: number | null;
  hover: (index: number | null) => void;
}

function Volume(props: At & { counts: Counts[]; sum: Counts; step: number }) {
  const { counts, at } = props;
  const lines = useMemo(() => outcomes.map((o) => ({ colour: colours[o], values: counts.map((c) => c[o]) })), [counts]);
  const shown = at === null ? props.sum : counts[at]!;
  const present = outcomes.filter((o) => props.sum[o] > 0 || o === "sent" || o === "failed");
  return (
    <figure>
      <figcaption><h3>{t("volume")}</h3><span class="muted small">{at === null ? t("whole") : span(props.times[at]!, props.step)}</span></figcaption>
      <Chart times={props.times} step={props.step} lines={lines} stacked whole least={4} format={formatNumber} hover={props.hover} />
      <Legend entries={[...present].reverse().map((o) => [colours[o], t(o), formatNumber(shown[o])])} />
    </figure>
  );
}

function Latency(props: At & { data: Statistics }) {
  const { latency, step } = props.data;
  const lines = useMemo(() => [
    { colour: "--chart-sent", values: latency.map((l) => l?.p50 ?? null) },
    { colour: "--chart-slow", values: latency.map((l) => l?.p95 ?? null), dashed: true },
  ], [latency]);
  const index = props.at ?? latency.findLastIndex((l) => l !== null);
  const shown = latency[index];
  return (
    <figure>
      <figcaption><h3>{t("latency")}</h3><span class="muted small">{index >= 0 && span(props.times[index]!, step)}</span></figcaption>
      <Chart times={props.times} step={step} lines={lines} least={100} format={formatDuration} hover={props.hover} />
      <Legend dashed={1} entries={[["--chart-sent", t("p50"), shown ? formatDuration(shown.p50) : t("empty")], ["--chart-slow", t("p95"), shown ? formatDuration(shown.p95) : t("empty")]]} />
    </figure>
  );
}

function Legend(props: { entries: [string, string, string][]; dashed?: number }) {
  return (
    <ul class="legend" aria-hidden="true">
      {props.entries.map(([colour, name, value], i) => (
        <li key={name}><span class={i === props.dashed ? "swatch dashed" : "swatch"} style={{ color: `var(${colour})` }} />{name} <b>{value}</b></li>
      ))}
    </ul>
  );
}

function span(begin: number, step: number): string {
  const [from, to] = [new Date(begin * 1000), new Date((begin + step) * 1000)];
  const format = new Intl.DateTimeFormat(languageTag(), { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return format.formatRange(from, to);
}

function TimeTable(props: { data: Statistics; counts: Counts[]; times: number[] }) {
  const shown = props.counts.map((c, i) => ({ c, i })).filter(({ c }) => all(c) > 0).reverse();
  return (
    <div class="table figures" tabIndex={0} role="region" aria-label={t("asTable")}>
      <table>
        <thead><tr><th scope="col">{t("time")}</th>{(["sent", "failed", "unknown", "waiting"] as const).map((o) => <th key={o} scope="col">{t(o)}</th>)}<th scope="col">p50</th><th scope="col">p95</th><th scope="col">{t("max")}</th></tr></thead>
        <tbody>
          {shown.map(({ c, i }) => {
            const l = props.data.latency[i];
            return (
              <tr key={i}>
                <th scope="row">{span(props.times[i]!, props.data.step)}</th>
                {(["sent", "failed", "unknown", "waiting"] as const).map((o) => <td key={o}>{formatNumber(c[o])}</td>)}
                {[l?.p50, l?.p95, l?.max].map((ms, n) => <td key={n}>{ms === undefined ? t("none") : formatDuration(ms)}</td>)}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const kindsShown = 12;

function KindTable(props: { kinds: Kind[] }) {
  return (
    <div class="table figures" tabIndex={0} role="region" aria-label={t("kinds")}>
      <table>
        <caption class="visually-hidden">{t("kinds")}</caption>
        <thead><tr>{(["connector", "type", "total", "sent", "failed", "unknown", "rate"] as const).map((h) => <th key={h} scope="col" class={h === "type" ? "wide-only" : ""}>{t(h)}</th>)}</tr></thead>
        <tbody>{props.kinds.slice(0, kindsShown).map((k) => <KindRow key={k.connector + " " + k.type} kind={k} />)}</tbody>
      </table>
      {props.kinds.length > kindsShown && <p class="muted small more-kinds">{t("more", { n: props.kinds.length - kindsShown })}</p>}
    </div>
  );
}

function KindRow(props: { kind: Kind }) {
  const { connector, type, counts } = props.kind;
  const rate = failureRate(counts);
  const name = usageTypeName(type);
  return (
    <tr>
      <th scope="row">{connector}<div class="narrow-only muted small">{name}</div></th>
      <td class="wide-only">{name}</td>
      <td>{formatNumber(all(counts))}</td>
      <td>{formatNumber(counts.sent)}</td>
      <td>{formatNumber(counts.failed)}</td>
      <td>{formatNumber(counts.unknown)}</td>
      <td>{rate === null ? t("none") : <Badge tone={rate === 0 ? "calm" : rate < 0.05 ? "warn" : "bad"}>{percent(rate)}</Badge>}</td>
    </tr>
  );
}
