// What keeps the connector from sending, as looked up at Aliyun. It sends nothing.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Config, type Examination, type ExaminationStep, factory, type Finding, send } from "../api";
import { texts } from "../i18n";
import { Button, explain, Notice } from "../ui";
import { told } from "./doctor-words";
import { Step, Steps, type StepState } from "./trace";

const t = texts({
  en: {
    title: "Check with Aliyun", hint: "Looks for what keeps mail from being sent: the way to Aliyun, the clock, the key, the account, the sender address and its domain. It sends no mail.",
    check: "Check", draft: "The unsaved changes are checked.", good: "Nothing was found that keeps mail from being sent.", warning: "Mail can be sent; see the notes.", problem: "Mail cannot be sent as it is.",
    skipped: "not looked at", request: "RequestId {id}", steps: "What was checked",
    config: "Connector", name: "Name of the endpoint", connection: "Connection", clock: "Clock", key: "Access key", permission: "Permission to send", account: "Account and quota", sender: "Sender address", domain: "Domain", reply: "Reply address",
  },
  zh: {
    title: "向阿里云核查", hint: "查找妨碍发信的原因：与阿里云的连接、时钟、密钥、账号、发信地址及其域名。不会发送邮件。",
    check: "核查", draft: "核查的是尚未保存的修改。", good: "没有发现妨碍发信的问题。", warning: "可以发信，请留意提示。", problem: "目前无法发信。",
    skipped: "未检查", request: "RequestId {id}", steps: "核查的内容",
    config: "连接器", name: "端点的名称", connection: "连接", clock: "时钟", key: "访问密钥", permission: "发信权限", account: "账号与额度", sender: "发信地址", domain: "域名", reply: "回信地址",
  },
  ja: {
    title: "Aliyun で確認", hint: "送信を妨げるものを探します：Aliyun への接続、時計、キー、アカウント、送信元アドレスとそのドメイン。メールは送りません。",
    check: "確認する", draft: "保存前の変更を確認します。", good: "送信を妨げるものは見つかりませんでした。", warning: "送信できます。注意点をご覧ください。", problem: "このままでは送信できません。",
    skipped: "未確認", request: "RequestId {id}", steps: "確認した内容",
    config: "コネクタ", name: "エンドポイントの名前", connection: "接続", clock: "時計", key: "アクセスキー", permission: "送信権限", account: "アカウントと送信枠", sender: "送信元アドレス", domain: "ドメイン", reply: "返信先",
  },
});

interface Run {
  busy: boolean;
  report?: Examination;
  refused?: unknown;
}

export function Doctor(props: { connectorId: string; config?: Config; dirty: boolean }) {
  const [run, setRun] = useState<Run>({ busy: false });
  const going = useRef<AbortController>(undefined);
  useEffect(() => () => going.current?.abort(), []);
  const ofDraft = props.dirty || props.connectorId === factory;
  const start = async () => {
    const own = new AbortController();
    going.current = own;
    setRun({ busy: true });
    const change = (next: Run) => own.signal.aborted || setRun(next);
    try {
      const path = `api/connectors/${encodeURIComponent(props.connectorId)}/doctor`;
      const { data } = await send<Examination>("POST", path, ofDraft ? { config: props.config } : {}, undefined, own.signal);
      change({ busy: false, report: data });
    } catch (refused) {
      change({ busy: false, refused });
    }
  };
  return (
    <section class="card doctor" aria-label={t("title")}>
      <h2>{t("title")}</h2>
      <p class="hint">{t("hint")}</p>
      <div class="row">
        <Button busy={run.busy} onClick={start}>{t("check")}</Button>
        {ofDraft && <span class="muted small">{t("draft")}</span>}
      </div>
      <div aria-live="polite">
        {run.refused !== undefined && <Notice kind="error">{explain(run.refused)}</Notice>}
        {run.report && <Notice kind={kinds[run.report.outcome]}>{t(run.report.outcome)}</Notice>}
      </div>
      {run.report && <Steps label={t("steps")}>{run.report.steps.map((step) => <Found key={step.check} step={step} />)}</Steps>}
    </section>
  );
}

const kinds = { good: "good", skipped: "info", warning: "warning", problem: "error" } as const satisfies Record<Finding, string>;

const states: Record<Finding, StepState> = { good: "done", skipped: "waiting", warning: "warn", problem: "failed" };

function Found({ step }: { step: ExaminationStep }) {
  const { detail, cure } = told(step);
  return (
    <Step state={states[step.status]} title={t(step.check)} aside={step.status === "skipped" && t("skipped")}>
      <p>{detail}</p>
      {cure && <p class={step.status === "skipped" ? "muted" : "warn-text"}>{cure}</p>}
      {step.requestId && step.status !== "skipped" && <p class="muted small mono">{t("request", { id: step.requestId })}</p>}
    </Step>
  );
}
