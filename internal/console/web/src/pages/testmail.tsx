// Sends a test mail and shows each step live.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Config, events, factory, get, type SandboxMail, onSignedOut, Problem, type Session, type TestTrace, usageTypeValues } from "../api";
import { texts } from "../i18n";
import { href } from "../route";
import { Button, ButtonLink, explain, Field } from "../ui";
import { type Failure, isAdvised, senderOf } from "./advice";
import { Choice, type Option } from "./choice";
import { parseObject } from "./jsonschema";
import { formatDuration, reasonName } from "./message-words";
import { commonLanguages, flowName, languageName, usageTypeName } from "./template-names";
import { AdviceCard, AttemptStep, LimitStep, Problems, Receipt, Step, Steps, TemplateStep } from "./trace";
import { flowById, flowsFor, type Payload, plainFlow } from "./variables";

const t = texts({
  en: {
    to: "Send to", toHint: "One mail address. It is forgotten when you close the page.", toNeeded: "Enter a recipient for the test mail.", type: "Usage type", language: "Recipient's language", flow: "Flow",
    asSent: "follow the flow (default)", asSentTag: "follow the flow ({tag})", values: "Values", asJSON: "Values as JSON", valuesHint: "The content of the request, recorded from a real Logto. Edit it as you like.", notJSON: "Enter a JSON object.", reset: "Restore recorded values",
    send: "Send test mail", draft: "Uses your unsaved changes.", stored: "Uses the stored connector.", trace: "Progress", idle: "Each step appears here as it happens.",
    checking: "Checking the connector", checked: "Connector checked", refusedConnector: "The connector cannot send", refusedRequest: "The request was rejected", choosing: "Choosing the template", again: "Waiting to retry", sending: "Sending",
    sent: "Accepted by Aliyun", notSent: "Not sent", unknown: "May have been sent", elapsed: "Time", inbox: "Open in the inbox", story: "View in Messages", toMask: "to {to}",
    saySent: "The test mail was accepted.", sayFailed: "The test mail was not sent.", sayUnknown: "The test mail may have been sent.", sayAttempt: "Attempt {n}.",
  },
  zh: {
    to: "发送至", toHint: "一个邮箱地址。关闭页面后不再保留。", toNeeded: "请填写测试邮件的收件地址。", type: "用途", language: "收件人的语言", flow: "流程",
    asSent: "跟随流程（默认）", asSentTag: "跟随流程（{tag}）", values: "值", asJSON: "值（JSON）", valuesHint: "请求的内容，取自真实 Logto 的录制数据，可自由修改。", notJSON: "请输入 JSON 对象。", reset: "恢复录制值",
    send: "发送测试邮件", draft: "使用尚未保存的更改。", stored: "使用已保存的连接器。", trace: "进度", idle: "各步骤会实时显示在这里。",
    checking: "正在检查连接器", checked: "连接器已检查", refusedConnector: "该连接器无法发送", refusedRequest: "请求被拒绝", choosing: "正在选择模板", again: "等待重试", sending: "正在发送",
    sent: "阿里云已接受", notSent: "未发送", unknown: "可能已发送", elapsed: "用时", inbox: "在收件箱中打开", story: "在邮件记录中查看", toMask: "发往 {to}",
    saySent: "测试邮件已被接受。", sayFailed: "测试邮件未发送。", sayUnknown: "测试邮件可能已发送。", sayAttempt: "第 {n} 次尝试。",
  },
  ja: {
    to: "送信先", toHint: "メールアドレスを 1 つ入力します。ページを閉じると消えます。", toNeeded: "テストメールの送信先を入力してください。", type: "用途", language: "受信者の言語", flow: "フロー",
    asSent: "フローに従う（既定）", asSentTag: "フローに従う（{tag}）", values: "値", asJSON: "値（JSON）", valuesHint: "実際の Logto から記録したリクエストの内容です。自由に変更できます。", notJSON: "JSON オブジェクトを入力してください。", reset: "記録した値に戻す",
    send: "テストメールを送信", draft: "保存前の変更を使います。", stored: "保存済みのコネクターを使います。", trace: "進行状況", idle: "各ステップがここに順次表示されます。",
    checking: "コネクターを確認中", checked: "コネクターを確認済み", refusedConnector: "このコネクターでは送信できません", refusedRequest: "リクエストが拒否されました", choosing: "テンプレートを選択中", again: "再試行を待機中", sending: "送信中",
    sent: "Aliyun が受け付けました", notSent: "送信されていません", unknown: "送信された可能性があります", elapsed: "経過時間", inbox: "受信箱で開く", story: "メッセージの一覧で見る", toMask: "宛先 {to}",
    saySent: "テストメールが受け付けられました。", sayFailed: "テストメールは送信されませんでした。", sayUnknown: "テストメールが送信された可能性があります。", sayAttempt: "{n} 回目の試行。",
  },
});

// Kept in memory only, until sign-out.
let address = "";
onSignedOut(() => { address = ""; });

interface Run {
  begun: number;
  ended?: number;
  report?: TestTrace;
  /** The request was rejected before there was a report. */
  refused?: unknown;
}

interface Request {
  email: string;
  type: string;
  payload: Payload;
  config?: Config;
}

function useTest(connectorId: string): { run?: Run; start: (request: Request) => void } {
  const [run, setRun] = useState<Run>();
  const going = useRef<AbortController>(undefined);
  useEffect(() => () => going.current?.abort(), []);
  const start = async (request: Request) => {
    going.current?.abort();
    const own = new AbortController();
    going.current = own;
    const change = (next: Partial<Run>) => own.signal.aborted || setRun((r) => r && { ...r, ...next });
    setRun({ begun: performance.now() });
    try {
      let done = false;
      for await (const { event, data } of events("POST", `api/connectors/${encodeURIComponent(connectorId)}/test`, request, own.signal)) {
        done = event === "done";
        change({ report: data as TestTrace, ended: done ? performance.now() : undefined });
      }
      if (!done) throw new Problem(0, "unreachable", "the connection was lost");
    } catch (refused) {
      change({ refused: refused instanceof Problem ? refused : new Problem(0, "unreachable", "the connection was lost"), ended: performance.now() });
    }
  };
  return { run, start };
}

export function TestMail(props: { connectorId: string; config?: Config; dirty: boolean; ended: () => void }) {
  const { run, start } = useTest(props.connectorId);
  const sendsDraft = props.dirty || props.connectorId === factory;
  const going = run !== undefined && run.ended === undefined;
  useEffect(() => {
    if (run?.ended !== undefined) props.ended();
  }, [run?.ended]);
  return (
    <div class="testmail">
      <TestForm draft={sendsDraft} busy={going} submit={(request) => start({ ...request, config: sendsDraft ? props.config : undefined })} />
      <section class="card" aria-label={t("trace")}>
        <header class="page-head"><h2>{t("trace")}</h2>{run && <Elapsed run={run} />}</header>
        {run ? <Trace run={run} connectorId={props.connectorId} config={props.config} /> : <p class="muted">{t("idle")}</p>}
        <p class="visually-hidden" aria-live="polite">{run && spoken(run)}</p>
      </section>
    </div>
  );
}

/** The state of the form. */
function useDraft() {
  const [type, setType] = useState<string>("Generic");
  const [flowId, setFlowId] = useState(plainFlow("Generic").id);
  const [locale, setLocale] = useState("");
  const [json, setJSON] = useState(() => recorded(flowId));
  const chooseFlow = (id: string) => {
    setFlowId(id);
    setJSON(recorded(id));
  };
  const chooseType = (next: string) => {
    setType(next);
    chooseFlow(plainFlow(next).id);
  };
  return { type, chooseType, flowId, chooseFlow, locale, setLocale, json, setJSON, payload: parseObject(json) };
}

function TestForm(props: { draft: boolean; busy: boolean; submit: (request: Request) => void }) {
  const draft = useDraft();
  const [email, setEmail] = useState(address);
  const [missing, setMissing] = useState(false);
  const values = useRef<HTMLDetailsElement>(null);
  const type = (next: string) => {
    address = next;
    setEmail(next);
    setMissing(false);
  };
  const submit = (e: Event) => {
    e.preventDefault();
    const { payload, locale } = draft;
    if (props.busy) return;
    setMissing(email.trim() === "");
    if (email.trim() === "") return document.getElementsByName("test-address")[0]?.focus();
    if (!payload) return void (values.current!.open = true);
    props.submit({ email: email.trim(), type: draft.type, payload: locale ? { ...payload, locale } : payload });
  };
  return (
    <form class="card" onSubmit={submit} noValidate>
      <Field label={t("to")} hint={t("toHint")} error={missing ? t("toNeeded") : undefined} required>
        {(ids) => <input {...ids} type="email" name="test-address" autocomplete="off" spellcheck={false} value={email} onInput={(e) => type(e.currentTarget.value)} />}
      </Field>
      <div class="pair">
        <Choice label={t("type")} value={draft.type} choose={draft.chooseType} options={usageTypeValues.map((u) => [u, `${usageTypeName(u)} (${u})`])} />
        <Choice label={t("language")} value={draft.locale} choose={draft.setLocale} options={[["", asSent(draft.payload)], ...commonLanguages.map((tag): Option => [tag, `${languageName(tag)} (${tag})`])]} />
      </div>
      <details class="more" ref={values}>
        <summary>{t("values")}</summary>
        <Choice label={t("flow")} value={draft.flowId} choose={draft.chooseFlow} options={flowsFor(draft.type).fitting.map((f) => [f.id, flowName(f)])} />
        <Field label={t("asJSON")} hint={t("valuesHint")} error={draft.payload ? undefined : t("notJSON")}>
          {(ids) => <textarea {...ids} class="mono" rows={10} spellcheck={false} value={draft.json} onInput={(e) => draft.setJSON(e.currentTarget.value)} />}
        </Field>
        <Button kind="plain" disabled={draft.json === recorded(draft.flowId)} onClick={() => draft.setJSON(recorded(draft.flowId))}>{t("reset")}</Button>
      </details>
      <div class="row submit">
        <Button type="submit" kind="primary" busy={props.busy}>{t("send")}</Button>
        <span class="muted small">{t(props.draft ? "draft" : "stored")}</span>
      </div>
    </form>
  );
}

function recorded(flowId: string): string {
  return JSON.stringify(flowById(flowId)?.payload ?? { code: "123456" }, null, 2);
}

function asSent(payload: Payload | null): string {
  return typeof payload?.locale === "string" ? t("asSentTag", { tag: payload.locale }) : t("asSent");
}

/** The elapsed time, updated while the run goes on. Screen readers do not announce it. */
function Elapsed(props: { run: Run }) {
  const now = useTicking(props.run.ended === undefined);
  return <span class="elapsed" role="timer" aria-live="off" aria-label={t("elapsed")}>{formatDuration((props.run.ended ?? now) - props.run.begun)}</span>;
}

function useTicking(going: boolean): number {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    if (!going) return;
    const timer = setInterval(() => setNow(performance.now()), 100);
    return () => clearInterval(timer);
  }, [going]);
  return Math.max(now, performance.now());
}

/** Time since this appeared. The service's clock may differ from the browser's. */
function Since() {
  const [begun] = useState(() => performance.now());
  return <>{formatDuration(useTicking(true) - begun)}</>;
}

function Trace(props: { run: Run; connectorId: string; config?: Config }) {
  const { run } = props;
  const { report } = run;
  if (run.refused !== undefined && !report) return <RefusedTrace {...props} />;
  if (!report) return <Steps label={t("trace")}><Step state="running" title={t("checking")} /></Steps>;
  const attempts = report.attempts ?? [];
  const going = run.ended === undefined;
  return (
    <>
      <Steps label={t("trace")}>
        <Step state="done" title={t("checked")} />
        {report.limits?.some((l) => l.usedUp) && <LimitStep limits={report.limits} />}
        {report.template && <TemplateStep trace={report.template} />}
        {going && !report.template && <Step state="running" title={t("choosing")} />}
        {attempts.map((a, i) => <AttemptStep key={i} n={i + 1} attempt={a} unknown={report.error?.code === "outcome_unknown"} pending={<Since key={a.at} />} />)}
        {going && report.template && !attempts.at(-1)?.pending && <Step state="running" title={t(attempts.length > 0 ? "again" : "sending")} />}
        {!going && <Outcome {...props} report={report} />}
      </Steps>
      {!going && failureOf(props, report) && <AdviceCard failure={failureOf(props, report)!} connectorId={props.connectorId} />}
    </>
  );
}

function RefusedTrace(props: { run: Run; connectorId: string; config?: Config }) {
  const problem = props.run.refused instanceof Problem ? props.run.refused : new Problem(0, "internal", explain(props.run.refused));
  const connectors = ["invalid_config", "connector_not_found"];
  return (
    <>
      <Steps label={t("trace")}>
        <Step state="failed" title={t(connectors.includes(problem.code) ? "refusedConnector" : "refusedRequest")}>
          {(!isAdvised(problem.code) || problem.code === "invalid_recipient") && <p>{explain(problem)}</p>}
          <Problems errors={problem.errors} />
        </Step>
      </Steps>
      {isAdvised(problem.code) && <AdviceCard failure={{ code: problem.code }} />}
    </>
  );
}

function Outcome(props: { report: TestTrace; run: Run }) {
  const { report } = props;
  const story = report.id && <ButtonLink href={href("messages", report.id)}>{t("story")}</ButtonLink>;
  if (props.run.refused === undefined && !report.error) {
    return (
      <Step state="done" title={t("sent")} aside={t("toMask", { to: report.recipient })}>
        {report.receipt && <Receipt receipt={report.receipt} />}
        <div class="row"><InboxLink envId={report.receipt?.envId ?? ""} />{story}</div>
      </Step>
    );
  }
  const unknown = report.error?.code === "outcome_unknown" || report.error === undefined;
  return (
    <Step state={unknown ? "warn" : "failed"} title={t(unknown ? "unknown" : "notSent")} aside={report.error && reasonName(report.error.code)}>
      <Problems errors={report.error?.errors ?? []} />
      {story && <div class="row">{story}</div>}
    </Step>
  );
}

/** A link to the mail, if the service sends to its sandbox. */
function InboxLink(props: { envId: string }) {
  const [mail, setMail] = useState("");
  useEffect(() => {
    const find = async () => {
      if (!(await get<Session>("api/session")).sandbox) return;
      const { mails } = await get<{ mails: SandboxMail[] }>("api/inbox");
      setMail(mails.find((m) => m.envId === props.envId)?.id ?? "");
    };
    // The link is optional.
    find().catch(() => undefined);
  }, [props.envId]);
  return mail ? <ButtonLink kind="primary" href={href("inbox", mail)}>{t("inbox")}</ButtonLink> : null;
}

function failureOf(props: { run: Run; config?: Config }, report: TestTrace): Failure | null {
  const connector = props.config && senderOf(props.config);
  if (report.error) return { code: report.error.code, said: report.attempts?.at(-1)?.error ?? "", ...connector };
  return props.run.refused === undefined ? null : { code: "unreachable", ...connector };
}

function spoken(run: Run): string {
  if (run.ended === undefined) {
    const n = run.report?.attempts?.length ?? 0;
    return n > 0 ? t("sayAttempt", { n }) : t("checking");
  }
  if (run.refused !== undefined) return t("sayFailed");
  if (!run.report?.error) return t("saySent");
  return t(run.report.error.code === "outcome_unknown" ? "sayUnknown" : "sayFailed");
}
