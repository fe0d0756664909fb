// The details of one message, from its arrival to its outcome.
import { useState } from "preact/hooks";
import { get, type Message, Problem, send, type State } from "../api";
import { formatTime, texts } from "../i18n";
import { href } from "../route";
import { Badge, Button, ButtonLink, CopyButton, Dialog, explain, Notice, Page, Show, Time, useLoad } from "../ui";
import { useEvery } from "./live";
import { formatDuration, outcomeOf, reasonName, stateName, tones } from "./message-words";
import "./messages.css";
import { usageTypeName } from "./template-names";
import { AdviceCard, AttemptStep, LimitStep, Receipt, Step, Steps, type StepState, TemplateStep } from "./trace";

const t = texts({
  en: {
    title: "Message to {to}", back: "All messages", story: "What happened", arrived: "Arrived", direct: "Sent directly: the caller waited for the result.", queued: "Queued: the caller got 202 Accepted.", test: "Test mail.",
    sent: "Accepted by Aliyun", failed: "Not sent", dead: "Given up", expired: "Not sent before its code expired", unknown: "May have been sent", waiting: "Waiting", due: "Next attempt: {time}", sending: "Sending",
    id: "ID", connector: "Connector", type: "Usage type", recipient: "Recipient", created: "Arrived", updated: "Last change", expires: "Valid until", after: "after {time}", facts: "Details",
    retry: "Send again", retryTitle: "Send this message again?", retryDead: "It goes back to the queue and is sent unchanged, with the same code.", retryUnknown: "It may already have arrived. If you send it again, it may arrive twice.", cancel: "Cancel", payload_gone: "Its content was erased when its code expired.", not_retryable: "It cannot be sent again. Someone else may already have done so.",
    shortened: "Only some of the attempts are shown.", noReport: "No further details are stored for this message.",
  },
  zh: {
    title: "发往 {to} 的邮件", back: "全部邮件", story: "处理过程", arrived: "收到请求", direct: "直接发送：调用方同步等待结果。", queued: "已入队：已向调用方返回 202（已安全保存）。", test: "测试邮件。",
    sent: "阿里云已接受", failed: "未发送", dead: "已放弃发送", expired: "验证码过期前未能发出", unknown: "可能已发送", waiting: "正在等待", due: "下次尝试：{time}", sending: "正在发送",
    id: "ID", connector: "连接器", type: "用途", recipient: "收件人", created: "收到时间", updated: "最后更新", expires: "有效至", after: "用时 {time}", facts: "详情",
    retry: "重新发送", retryTitle: "要重新发送这封邮件吗？", retryDead: "将重新进入队列，按原样发送，验证码不变。", retryUnknown: "它可能已经送达。重新发送后，收件人可能收到两封。", cancel: "取消", payload_gone: "验证码已过期，邮件内容已删除。", not_retryable: "无法重新发送，可能已有人重新发送过。",
    shortened: "只显示部分尝试。", noReport: "这封邮件没有更多详情。",
  },
  ja: {
    title: "{to} 宛のメッセージ", back: "すべてのメッセージ", story: "処理の経過", arrived: "リクエストを受信", direct: "直接送信（呼び出し元は結果を待機）", queued: "キューに登録済み（呼び出し元には 202 を返しました）", test: "テストメール",
    sent: "Aliyun が受け付けました", failed: "送信されませんでした", dead: "送信を中止しました", expired: "コードの有効期限までに送信できませんでした", unknown: "送信された可能性があります", waiting: "待機中です", due: "次の試行：{time}", sending: "送信中です",
    id: "ID", connector: "コネクター", type: "用途", recipient: "宛先", created: "受信日時", updated: "最終更新", expires: "有効期限", after: "{time}後", facts: "詳細",
    retry: "再送信", retryTitle: "このメッセージを再送信しますか？", retryDead: "キューに戻り、同じコードのまま送信されます。", retryUnknown: "すでに届いている可能性があります。再送信すると二重に届くことがあります。", cancel: "キャンセル", payload_gone: "コードの有効期限が切れ、内容は消去されました。", not_retryable: "再送信できません。他の人がすでに再送信した可能性があります。",
    shortened: "試行の一部だけを表示しています。", noReport: "このメッセージの詳細は保存されていません。",
  },
});

export function MessagePage(props: { id: string }) {
  const message = useLoad((signal) => get<Message>(`api/messages/${encodeURIComponent(props.id)}`, signal), [props.id]);
  const moves = message.data && outcomeOf[message.data.state] === "waiting";
  useEvery(2000, () => moves && message.reload());
  const title = t("title", { to: message.data?.recipient ?? "…" });
  return (
    <Page title={title} actions={<ButtonLink href={href("messages")}>{t("back")}</ButtonLink>}>
      <Show of={message}>{(m) => <Story message={m} reload={message.reload} />}</Show>
    </Page>
  );
}

function Story(props: { message: Message; reload: () => void }) {
  const { message: m } = props;
  const outcome = outcomeOf[m.state];
  const failed = (outcome === "failed" || outcome === "unknown") && m.code;
  return (
    <div class="story">
      <section class="card" aria-labelledby="story">
        <header class="page-head"><h2 id="story">{t("story")}</h2><Badge tone={tones[outcome]}>{stateName(m.state)}</Badge></header>
        <Timeline message={m} />
        {m.retryable && <Retry message={m} done={props.reload} />}
      </section>
      <div class="stack">
        {failed && <div class="card"><AdviceCard link failure={{ code: failed, said: saidOf(m.steps) }} connectorId={m.connector} /></div>}
        <Facts message={m} />
      </div>
    </div>
  );
}

/** Aliyun's last answer: to an attempt, or the one that opened the circuit breaker. */
function saidOf(steps: Message["steps"]): string {
  const detail = steps?.detail ?? "";
  return steps?.attempts?.at(-1)?.error ?? (detail.includes("direct mail: ") ? detail : "");
}

function Timeline(props: { message: Message }) {
  const { message: m } = props;
  const { limits, template, attempts = [] } = m.steps ?? {};
  return (
    <Steps label={t("story")}>
      <Step state="done" title={t("arrived")} aside={formatTime(m.createdAt)}><p>{t(m.mode)}</p></Step>
      {limits && limits.length > 0 && <LimitStep limits={limits} />}
      {template && <TemplateStep trace={template} />}
      {attempts.length >= attemptsTold && <Step state="warn" title={t("shortened")} />}
      {attempts.map((a, i) => <AttemptStep key={a.at} n={i + 1} attempt={a} unknown={m.state === "unknown" && i === attempts.length - 1} />)}
      <End message={m} />
    </Steps>
  );
}

/** The service stores no more attempts than this. */
const attemptsTold = 50;

const ends: Record<State, [StepState, Parameters<typeof t>[0]]> = {
  sent: ["done", "sent"], failed: ["failed", "failed"], dead: ["failed", "dead"], expired: ["failed", "expired"],
  unknown: ["warn", "unknown"], queued: ["waiting", "waiting"], sending: ["running", "sending"],
};

function End(props: { message: Message }) {
  const { message: m } = props;
  const [state, key] = ends[m.state];
  const took = Date.parse(m.updatedAt) - Date.parse(m.createdAt);
  const receipt = m.steps?.receipt;
  return (
    <Step state={state} title={t(key)} aside={m.state === "sent" ? t("after", { time: formatDuration(took) }) : undefined}>
      {m.code && <p>{reasonName(m.code)}</p>}
      {m.state === "queued" && m.dueAt && <p class="muted">{t("due", { time: formatTime(m.dueAt) })}</p>}
      {receipt && <Receipt receipt={receipt} />}
    </Step>
  );
}

function Facts(props: { message: Message }) {
  const { message: m } = props;
  return (
    <section class="card" aria-labelledby="facts">
      <h2 id="facts">{t("facts")}</h2>
      <dl class="facts">
        <dt>{t("recipient")}</dt><dd>{m.recipient}</dd>
        <dt>{t("type")}</dt><dd>{usageTypeName(m.type)}</dd>
        <dt>{t("connector")}</dt><dd><a href={href("connectors", m.connector)}>{m.connector}</a></dd>
        <dt>{t("created")}</dt><dd>{formatTime(m.createdAt)} <span class="muted small">(<Time iso={m.createdAt} />)</span></dd>
        <dt>{t("updated")}</dt><dd>{formatTime(m.updatedAt)}</dd>
        <dt>{t("expires")}</dt><dd>{formatTime(m.expiresAt)}</dd>
        <dt>{t("id")}</dt><dd><code>{m.id}</code> <CopyButton text={m.id} /></dd>
      </dl>
      {!m.steps && <p class="muted">{t("noReport")}</p>}
    </section>
  );
}

function refusal(error: unknown): string {
  if (error instanceof Problem && (error.code === "payload_gone" || error.code === "not_retryable")) return t(error.code);
  return explain(error);
}

function Retry(props: { message: Message; done: () => void }) {
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const unknown = props.message.state === "unknown";
  const retry = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await send("POST", `api/messages/${encodeURIComponent(props.message.id)}/retry`);
      setAsked(false);
      props.done();
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };
  return (
    <div class="row retry">
      <Button kind="primary" onClick={() => setAsked(true)}>{t("retry")}</Button>
      {asked && (
        <Dialog title={t("retryTitle")} close={() => setAsked(false)}>
          {unknown ? <Notice kind="warning">{t("retryUnknown")}</Notice> : <p>{t("retryDead")}</p>}
          {error !== undefined && <Notice kind="error">{refusal(error)}</Notice>}
          <div class="row">
            <Button kind={unknown ? "danger" : "primary"} busy={busy} onClick={retry}>{t("retry")}</Button>
            <Button onClick={() => setAsked(false)}>{t("cancel")}</Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
