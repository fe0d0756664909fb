// All messages: figures, and a live list.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Connector, get, type Message, type MessagePage, type MessageType, send, type State, stateValues } from "../api";
import { texts } from "../i18n";
import { href } from "../route";
import { Badge, Button, ButtonLink, Empty, explain, Field, Notice, Page, Time, useLoad } from "../ui";
import { Choice, type Option } from "./choice";
import { useEvery, useFeed } from "./live";
import { formatDuration, outcomeOf, reasonName, stateName, tones } from "./message-words";
import "./messages.css";
import { Overview } from "./overview";
import { isRange, type Range } from "./statistics";
import { messageTypes, usageTypeName } from "./template-names";

const t = texts({
  en: {
    title: "Messages", live: "Live", reconnecting: "Reconnecting…", still: "Paused: showing older messages", list: "List", filters: "Filters", state: "State", any: "All", trouble: "With problems", type: "Usage type", connector: "Connector",
    time: "Time", always: "Any time", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", custom: "Custom range", from: "From", to: "To", address: "Address", addressHint: "Enter the whole address. It does not appear in the URL.",
    search: "Search", clear: "Clear filters", recipient: "Recipient", when: "When", took: "Duration", older: "Older", newest: "Newest", none: "No messages match.", nothing: "No messages yet. Send a test mail from a connector, or have Logto send one.",
    loading: "Loading…", refresh: "Refresh", arrived: "{n} new", test: "Test", queued: "Queued", found: "Messages to this address",
  },
  zh: {
    title: "邮件记录", live: "实时", reconnecting: "正在重新连接…", still: "已暂停实时更新：正在查看较早的记录", list: "列表", filters: "筛选", state: "状态", any: "全部", trouble: "有问题", type: "用途", connector: "连接器",
    time: "时间", always: "不限时间", "1h": "最近 1 小时", "24h": "最近 24 小时", "7d": "最近 7 天", "30d": "最近 30 天", custom: "自定义", from: "开始时间", to: "结束时间", address: "地址", addressHint: "请输入完整地址。它不会出现在 URL 中。",
    search: "查找", clear: "清除筛选", recipient: "收件人", when: "时间", took: "用时", older: "更早", newest: "最新", none: "没有符合条件的记录。", nothing: "还没有邮件。可从连接器发送测试邮件，或让 Logto 发送一封。",
    loading: "正在加载…", refresh: "刷新", arrived: "新增 {n} 封", test: "测试", queued: "排队", found: "发往该地址的邮件",
  },
  ja: {
    title: "メッセージ", live: "ライブ", reconnecting: "再接続中…", still: "更新停止中：過去の一覧を表示しています", list: "一覧", filters: "絞り込み", state: "状態", any: "すべて", trouble: "問題あり", type: "用途", connector: "コネクター",
    time: "期間", always: "指定なし", "1h": "直近 1 時間", "24h": "直近 24 時間", "7d": "直近 7 日間", "30d": "直近 30 日間", custom: "期間を指定", from: "開始", to: "終了", address: "アドレス", addressHint: "アドレス全体を入力してください。URL には含まれません。",
    search: "検索", clear: "絞り込みを解除", recipient: "宛先", when: "日時", took: "所要時間", older: "以前のもの", newest: "最新", none: "条件に合うメッセージはありません。", nothing: "メッセージはまだありません。コネクターからテストメールを送るか、Logto から送信してください。",
    loading: "読み込み中…", refresh: "更新", arrived: "新着 {n} 件", test: "テスト", queued: "キュー", found: "このアドレス宛のメッセージ",
  },
});

const pageSize = 50;
const trouble = stateValues.filter((s) => ["failed", "unknown"].includes(outcomeOf[s])).join(",");
const spans: Record<Exclude<Span, "" | "custom">, number> = { "1h": 3600e3, "24h": 86400e3, "7d": 7 * 86400e3, "30d": 30 * 86400e3 };
type Span = "" | Range | "custom";

/** The filter in the page's URL, which never contains an address. */
interface Filter {
  state: string;
  type: string;
  connector: string;
  time: Span;
  /** Ends of a custom range, in RFC 3339. */
  from: string;
  to: string;
  before: string;
  range: Range;
}

function readFilter(query: URLSearchParams): Filter {
  const of = (key: string) => query.get(key) ?? "";
  const [range, time] = [query.get("range"), of("time")];
  return {
    state: of("state").split(",").filter((s) => stateValues.includes(s as State)).join(","),
    type: messageTypes.includes(of("type") as MessageType) ? of("type") : "",
    connector: of("connector"),
    time: isRange(time) || time === "custom" ? time : "",
    from: isTime(of("from")), to: isTime(of("to")),
    before: /^[0-9a-f-]{36}$/.test(of("before")) ? of("before") : "",
    range: isRange(range) ? range : "24h",
  };
}

function isTime(text: string): string {
  return Number.isNaN(Date.parse(text)) ? "" : text;
}

function addressOf(filter: Filter): string {
  const query = new URLSearchParams(Object.entries(filter).filter(([key, value]) => value !== "" && !(key === "range" && value === "24h")));
  return href("messages") + (query.size > 0 ? `?${query}` : "");
}

/** The filter as the API's query. */
function queryOf(filter: Filter, since: string): Record<string, string> {
  const { state, type, connector, before } = filter;
  const until = filter.time === "custom" ? filter.to : "";
  return Object.fromEntries(Object.entries({ state, type, connector, since, until, before }).filter(([, value]) => value !== ""));
}

function sinceOf(filter: Filter): string {
  if (filter.time === "custom") return filter.from;
  return filter.time === "" ? "" : new Date(Date.now() - spans[filter.time]).toISOString();
}

export function MessagesPage(props: { query: URLSearchParams }) {
  const filter = readFilter(props.query);
  const [address, setAddress] = useState("");
  const connectors = useLoad((signal) => get<Connector[]>("api/connectors", signal), []);
  const ids = [...new Set([...(connectors.data ?? []).map((c) => c.id), ...(filter.connector ? [filter.connector] : [])])];
  const change = (next: Partial<Filter>) => { location.hash = addressOf({ ...filter, before: "", ...next }); };
  const follows = filter.before === "" && address === "" && !(filter.time === "custom" && filter.to !== "");
  return (
    <Page title={t("title")}>
      <div class="messages stack">
        <Overview range={filter.range} choose={(range) => change({ range, before: filter.before })} connector={filter.connector} type={filter.type} />
        <section aria-labelledby="list" class="stack">
          <h2 id="list" class="visually-hidden">{t("list")}</h2>
          <Filters filter={filter} change={change} connectors={ids} address={address} search={(a) => { setAddress(a); change({}); }} />
          {follows ? <LiveList filter={filter} /> : <StillList filter={filter} address={address} />}
        </section>
      </div>
    </Page>
  );
}

function Filters(props: { filter: Filter; change: (next: Partial<Filter>) => void; connectors: string[]; address: string; search: (address: string) => void }) {
  const { filter, change } = props;
  const filtered = Boolean(filter.state || filter.type || filter.connector || filter.time || props.address);
  const [text, setText] = useState(props.address);
  const submit = (e: Event) => {
    e.preventDefault();
    props.search(text.trim());
  };
  const clear = () => {
    setText("");
    props.search("");
    change({ state: "", type: "", connector: "", time: "", from: "", to: "" });
  };
  return (
    <form class="filters" aria-label={t("filters")} onSubmit={submit}>
      <Choice label={t("state")} value={filter.state} choose={(state) => change({ state })} options={[["", t("any")], [trouble, t("trouble")], ...stateValues.map((s): Option => [s, stateName(s)])]} />
      <Choice label={t("type")} value={filter.type} choose={(type) => change({ type })} options={[["", t("any")], ...messageTypes.map((type): Option => [type, usageTypeName(type)])]} />
      <Choice label={t("connector")} value={filter.connector} choose={(connector) => change({ connector })} options={[["", t("any")], ...props.connectors.map((id): Option => [id, id])]} />
      <Choice label={t("time")} value={filter.time} choose={(time) => change({ time: time as Span, from: "", to: "" })} options={[["", t("always")], ...times.map((s): Option => [s, t(s)])]} />
      {filter.time === "custom" && <Between filter={filter} change={change} />}
      <Field label={t("address")}>
        {(ids) => (
          <div class="search">
            <input {...ids} type="email" name="message-address" autocomplete="off" spellcheck={false} placeholder="user@example.com" title={t("addressHint")} value={text} onInput={(e) => setText(e.currentTarget.value)} />
            <Button type="submit">{t("search")}</Button>
          </div>
        )}
      </Field>
      {filtered && <Button kind="plain" onClick={clear}>{t("clear")}</Button>}
    </form>
  );
}

const times = ["1h", "24h", "7d", "30d", "custom"] as const;

function Between(props: { filter: Filter; change: (next: Partial<Filter>) => void }) {
  const input = (value: string) => (value ? new Date(value).toISOString() : "");
  return (
    <>
      <Field label={t("from")}>{(ids) => <input {...ids} type="datetime-local" value={localTime(props.filter.from)} onChange={(e) => props.change({ from: input(e.currentTarget.value) })} />}</Field>
      <Field label={t("to")}>{(ids) => <input {...ids} type="datetime-local" value={localTime(props.filter.to)} onChange={(e) => props.change({ to: input(e.currentTarget.value) })} />}</Field>
    </>
  );
}

/** A time for a datetime-local control: local, without a zone. */
function localTime(iso: string): string {
  if (!iso) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function LiveList(props: { filter: Filter }) {
  const { state, type, connector } = props.filter;
  const query = new URLSearchParams({ ...queryOf({ ...props.filter, time: "", before: "" }, ""), limit: String(pageSize) });
  const feed = useFeed(`api/messages/events?${query}`);
  const page = feed.page && cut(feed.page, sinceOf(props.filter));
  const fresh = useFresh(page?.messages, [state, type, connector, props.filter.time].join());
  return (
    <>
      <p class="live" role="status">
        <span class={feed.live ? "dot on" : "dot"} aria-hidden="true" />{t(feed.live ? "live" : "reconnecting")}
        <span class="visually-hidden">{fresh.size > 0 && t("arrived", { n: fresh.size })}</span>
      </p>
      {page ? <List page={page} filter={props.filter} fresh={fresh} /> : <p class="muted">{t("loading")}</p>}
    </>
  );
}

/** Removes messages older than the filter's time, which the feed does not support. */
function cut(page: MessagePage, since: string): MessagePage {
  if (!since) return page;
  const messages = page.messages.filter((m) => Date.parse(m.createdAt) >= Date.parse(since));
  return { messages, next: messages.length === page.messages.length ? page.next : undefined };
}

/** Ids of the messages that the last update brought. */
function useFresh(messages: Message[] | undefined, list: string): Set<string> {
  const known = useRef<{ list: string; ids: Set<string> }>(undefined);
  const [fresh, setFresh] = useState(new Set<string>());
  useEffect(() => {
    if (!messages) return;
    const before = known.current?.list === list ? known.current.ids : undefined;
    const added = before ? messages.filter((m) => !before.has(m.id)).map((m) => m.id) : [];
    known.current = { list, ids: new Set([...(before ?? []), ...messages.map((m) => m.id)]) };
    if (added.length > 0 || !before) setFresh(new Set(added));
  }, [messages, list]);
  return fresh;
}

function StillList(props: { filter: Filter; address: string }) {
  const query = queryOf(props.filter, sinceOf(props.filter));
  const page = useLoad(async (signal) => {
    if (props.address === "") return get<MessagePage>(`api/messages?${new URLSearchParams({ ...query, limit: String(pageSize) })}`, signal);
    const { state, ...rest } = query;
    const body = { ...rest, ...(state && { state: state.split(",") }), address: props.address, limit: pageSize };
    return (await send<MessagePage>("POST", "api/messages/search", body, undefined, signal)).data;
  }, [addressOf(props.filter), props.address]);
  return (
    <>
      <p class="live"><span class="dot still" aria-hidden="true" />{t(props.address ? "found" : "still")} <Button kind="plain" onClick={page.reload}>{t("refresh")}</Button></p>
      {page.error !== undefined && <Notice kind="error">{explain(page.error)}</Notice>}
      {page.data ? <List page={page.data} filter={props.filter} fresh={new Set()} /> : page.error === undefined && <p class="muted" role="status">{t("loading")}</p>}
    </>
  );
}

function List(props: { page: MessagePage; filter: Filter; fresh: Set<string> }) {
  const { page, filter } = props;
  const [, setTurn] = useState(0);
  useEvery(15_000, () => setTurn((n) => n + 1)); // "3 minutes ago" grows old
  const filtered = Boolean(filter.state || filter.type || filter.connector || filter.time || filter.before);
  if (page.messages.length === 0) return <Empty>{t(filtered ? "none" : "nothing")}{filter.before && <p><ButtonLink href={addressOf({ ...filter, before: "" })}>{t("newest")}</ButtonLink></p>}</Empty>;
  return (
    <>
      <div class="table" tabIndex={0} role="region" aria-label={t("title")}>
        <table class="message-list">
          <thead><tr><th scope="col">{t("state")}</th><th scope="col">{t("recipient")}</th><th scope="col" class="wide-only">{t("type")}</th><th scope="col" class="wide-only">{t("connector")}</th><th scope="col" class="wide-only number">{t("took")}</th><th scope="col" class="wide-only">{t("when")}</th></tr></thead>
          <tbody>{page.messages.map((m) => <Row key={m.id} message={m} fresh={props.fresh.has(m.id)} />)}</tbody>
        </table>
      </div>
      <div class="row pages">
        {filter.before && <ButtonLink href={addressOf({ ...filter, before: "" })}>{t("newest")}</ButtonLink>}
        {page.next && <ButtonLink href={addressOf({ ...filter, before: page.next })}>{t("older")}</ButtonLink>}
      </div>
    </>
  );
}

function Row(props: { message: Message; fresh: boolean }) {
  const { message: m } = props;
  const type = usageTypeName(m.type);
  const outcome = outcomeOf[m.state];
  return (
    <tr class={props.fresh ? "fresh" : ""}>
      <td><Badge tone={tones[outcome]}>{stateName(m.state)}</Badge>{m.code && <div class="muted small">{reasonName(m.code)}</div>}</td>
      <td>
        <a class="open" href={href("messages", m.id)}>{m.recipient}</a>
        {m.mode === "test" && <> <Badge tone="calm">{t("test")}</Badge></>}{m.mode === "queued" && <> <Badge tone="calm">{t("queued")}</Badge></>}
        <div class="muted small narrow-only">{type} · {m.connector} · <Time iso={m.createdAt} /></div>
      </td>
      <td class="wide-only">{type}</td>
      <td class="wide-only">{m.connector}</td>
      <td class="wide-only number">{outcome !== "waiting" && formatDuration(Math.max(0, Date.parse(m.updatedAt) - Date.parse(m.createdAt)))}</td>
      <td class="wide-only when"><Time iso={m.createdAt} /></td>
    </tr>
  );
}
