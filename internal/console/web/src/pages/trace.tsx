// The steps of a message, and advice about failures.
import type { ComponentChildren } from "preact";
import { get, type Connector, type Fault, type TemplateChoice, type TestTrace } from "../api";
import { formatNumber, texts } from "../i18n";
import { href } from "../route";
import { CopyButton, useLoad } from "../ui";
import { advise, answerOf, type Failure, senderOf } from "./advice";
import { nameAt } from "./config-words";
import { formatDuration, formatSpan } from "./message-words";
import "./messages.css";
import { translated } from "./sentences";
import { templateName } from "./template-names";

const t = texts({
  en: {
    done: "done", running: "in progress", failed: "failed", warn: "note", waiting: "not yet",
    template: "Template chosen", noTemplate: "No template was found", shared: "shared template", why: "Why this one", missing: "Not in the request, so left as written: {names}", notes: "Changed to keep the mail safe and acceptable",
    attempt: "Attempt {n}", limits: "Within the rate limits", limitUsedUp: "Rate limit reached", rate: "{name}: {n} in {time}", usedUp: "used up",
    recipient: "To this recipient", ip: "From this client", connector: "Through this connector", tester: "Test mails by this admin",
    envId: "EnvId", requestId: "RequestId", todo: "What to do", said: "Response", status: "HTTP status", code: "Code", message: "Message", policy: "Policy",
    toConnector: "Open the connector",
  },
  zh: {
    done: "完成", running: "进行中", failed: "失败", warn: "注意", waiting: "尚未开始",
    template: "已选定模板", noTemplate: "没有找到模板", shared: "共享模板", why: "选用原因", missing: "请求中没有，因此原样保留：{names}", notes: "为保证邮件安全、可被接受所做的改动",
    attempt: "第 {n} 次尝试", limits: "未超过频率限制", limitUsedUp: "达到频率限制", rate: "{name}：每 {time} {n} 封", usedUp: "已用完",
    recipient: "发往该收件人", ip: "来自该客户端", connector: "经由该连接器", tester: "该管理员的测试邮件",
    envId: "EnvId", requestId: "RequestId", todo: "处理建议", said: "返回内容", status: "HTTP 状态", code: "错误码", message: "消息", policy: "权限策略",
    toConnector: "打开连接器",
  },
  ja: {
    done: "完了", running: "実行中", failed: "失敗", warn: "注意", waiting: "未実行",
    template: "テンプレートを選択", noTemplate: "テンプレートが見つかりません", shared: "共有テンプレート", why: "選ばれた理由", missing: "リクエストにないため、そのまま残ります：{names}", notes: "メールを安全で受け付けられる形にするための変更",
    attempt: "{n} 回目の試行", limits: "上限の範囲内", limitUsedUp: "上限に達しました", rate: "{name}：{time}に {n} 通", usedUp: "使用済み",
    recipient: "この宛先への送信", ip: "このクライアントからの送信", connector: "このコネクター経由", tester: "この管理者のテストメール",
    envId: "EnvId", requestId: "RequestId", todo: "対処方法", said: "応答の内容", status: "HTTP ステータス", code: "コード", message: "メッセージ", policy: "ポリシー",
    toConnector: "コネクターを開く",
  },
});

export type StepState = "done" | "running" | "failed" | "warn" | "waiting";

export function Steps(props: { label: string; children: ComponentChildren }) {
  return <ol class="steps" aria-label={props.label}>{props.children}</ol>;
}

export function Step(props: { state: StepState; title: ComponentChildren; aside?: ComponentChildren; children?: ComponentChildren }) {
  return (
    <li class={props.state}>
      <Marker state={props.state} />
      <div class="step-head">
        <strong>{props.title}</strong> <span class="visually-hidden">({t(props.state)})</span>
        {props.aside && <span class="muted small">{props.aside}</span>}
      </div>
      {props.children && <div class="step-body">{props.children}</div>}
    </li>
  );
}

const marks: Record<StepState, string> = { done: "M4 8.5l2.7 2.7L12 5.5", failed: "M5 5l6 6M11 5l-6 6", warn: "M8 4v5M8 11.7v.1", running: "M8 2a6 6 0 0 1 6 6", waiting: "" };

function Marker(props: { state: StepState }) {
  return (
    <svg class="marker" viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
      <path d={marks[props.state]} fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}

export function TemplateStep(props: { trace: TemplateChoice }) {
  const { trace } = props;
  if (trace.template < 0 && !trace.emailTemplate) return <Step state="failed" title={t("noTemplate")}><Reasons trace={trace} /></Step>;
  const noted = Boolean(trace.missing?.length || trace.notes?.length);
  return (
    <Step state={noted ? "warn" : "done"} title={t("template")} aside={trace.emailTemplate && t("shared")}>
      <p>{templateName(trace)}</p>
      {trace.missing && trace.missing.length > 0 && <p class="warn-text">{t("missing", { names: trace.missing.map((m) => `{{${m}}}`).join(", ") })}</p>}
      {trace.notes && trace.notes.length > 0 && <div class="warn-text">{t("notes")}<ul>{trace.notes.map((n) => <li key={n}>{translated(n)}</li>)}</ul></div>}
      <Reasons trace={trace} />
    </Step>
  );
}

function Reasons(props: { trace: TemplateChoice }) {
  const choice = props.trace.choice ?? [];
  if (choice.length === 0) return null;
  return <details><summary>{t("why")}</summary><ol>{choice.map((step) => <li key={step}>{translated(step)}</li>)}</ol></details>;
}

export function LimitStep(props: { limits: NonNullable<TestTrace["limits"]> }) {
  const usedUp = props.limits.some((l) => l.usedUp);
  return (
    <Step state={usedUp ? "failed" : "done"} title={t(usedUp ? "limitUsedUp" : "limits")}>
      <ul class="plain-list">
        {props.limits.map((l) => <li key={l.limit}>{rateText(t(l.limit), l.rate)}{l.usedUp && <strong class="bad-text"> · {t("usedUp")}</strong>}</li>)}
      </ul>
    </Step>
  );
}

/** Translates "10 in 10m0s", as Go writes it. */
function rateText(name: string, rate: string): string {
  const found = /^(\d+) in (?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(rate);
  if (!found) return `${name}: ${rate}`;
  const [h, m, s] = [found[2], found[3], found[4]].map((n) => Number(n ?? 0));
  return t("rate", { name, n: formatNumber(Number(found[1])), time: formatSpan(h! * 3600 + m! * 60 + s!) });
}

export function AttemptStep(props: { n: number; attempt: NonNullable<TestTrace["attempts"]>[number]; pending?: ComponentChildren; unknown: boolean }) {
  const { attempt } = props;
  const title = t("attempt", { n: props.n });
  if (attempt.pending) return <Step state="running" title={title} aside={props.pending} />;
  return (
    <Step state={attempt.error ? (props.unknown ? "warn" : "failed") : "done"} title={title} aside={formatDuration(attempt.milliseconds)}>
      {attempt.error && <Said text={attempt.error} />}
    </Step>
  );
}

function Said(props: { text: string }) {
  const answer = answerOf(props.text);
  return <p>{answer.code && <><code class="bad-text">{answer.code}</code> </>}{translated(answer.message) || (answer.code ? "" : props.text)}</p>;
}

export function Receipt(props: { receipt: NonNullable<TestTrace["receipt"]> }) {
  const { envId, requestId } = props.receipt;
  return (
    <dl class="ids">
      <Id name={t("envId")} value={envId} />
      <Id name={t("requestId")} value={requestId} />
    </dl>
  );
}

export function Id(props: { name: string; value: string }) {
  if (!props.value) return null;
  return <div><dt>{props.name}</dt><dd><code>{props.value}</code><CopyButton text={props.value} /></dd></div>;
}

export function Problems(props: { errors: Fault[] }) {
  if (props.errors.length === 0) return null;
  return <ul class="plain-list">{props.errors.map((e) => <li key={e.pointer + e.detail}><strong>{nameAt(e.pointer.replace(/^\/config\//, "").split("/"))}</strong>: {translated(e.detail)}</li>)}</ul>;
}

/** What to do about a failure. Region and sender are looked up unless given. */
export function AdviceCard(props: { failure: Failure; connectorId?: string; link?: boolean }) {
  const { failure } = props;
  const known = useLoad(async (signal) => {
    if (failure.sender || !props.connectorId) return null;
    // The connector may have been deleted. The advice helps without it.
    return get<Connector>(`api/connectors/${encodeURIComponent(props.connectorId)}`, signal).catch(() => null);
  }, [props.connectorId, failure.sender]);
  const advice = advise({ ...(known.data && senderOf(known.data.config)), ...failure });
  return (
    <section class="advice" aria-label={t("todo")}>
      <p class="advice-label">{t("todo")}</p>
      <h3>{advice.title}</h3>
      {advice.steps.length === 1 ? <p>{unbroken(advice.steps[0]!)}</p> : <ol>{advice.steps.map((step) => <li key={step}>{unbroken(step)}</li>)}</ol>}
      {advice.snippet && <div class="snippet"><pre aria-label={t("policy")}>{advice.snippet}</pre><CopyButton text={advice.snippet} /></div>}
      {failure.said && <Answered said={failure.said} />}
      {props.link && known.data && <p><a href={href("connectors", props.connectorId!)}>{t("toConnector")}</a></p>}
    </section>
  );
}

/** Keeps region ids from breaking across lines. */
function unbroken(text: string): ComponentChildren {
  return text.split(/((?:cn|ap|us|eu)-[a-z]+(?:-\d)?)/).map((part, i) => (i % 2 ? <code key={i} class="unbroken">{part}</code> : part));
}

function Answered(props: { said: string }) {
  const answer = answerOf(props.said);
  return (
    <details>
      <summary>{t("said")}</summary>
      <dl class="ids">
        {answer.code && <Id name={t("code")} value={answer.code} />}
        {answer.status !== undefined && <div><dt>{t("status")}</dt><dd>{answer.status}</dd></div>}
        {answer.requestId && <Id name={t("requestId")} value={answer.requestId} />}
        {answer.message && <div><dt>{t("message")}</dt><dd>{translated(answer.message)}</dd></div>}
      </dl>
    </details>
  );
}
