// Diagnostics: checks what the connector needs to send, without sending.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Config, type Examination, type ExaminationStep, factory, type Finding, send } from "../api";
import { texts } from "../i18n";
import { Button, explain, Notice } from "../ui";
import { told } from "./doctor-words";
import { Step, Steps, type StepState } from "./trace";

const t = texts({
  en: {
    title: "Diagnostics", hint: "Checks everything that sending needs: the connection to Aliyun, the clock, the key, the account, the sender address and its domain. Sends no mail.",
    check: "Run diagnostics", draft: "Checks your unsaved changes.", good: "All checks passed. This connector can send.", warning: "This connector can send. See the warnings.", problem: "This connector cannot send. See the problems.",
    skipped: "skipped", request: "RequestId {id}", steps: "Checks",
    config: "Connector", name: "Endpoint's host name", connection: "Connection", clock: "Clock", key: "Access key", permission: "Permission to send", account: "Account and quota", sender: "Sender address", domain: "Domain", reply: "Reply address",
  },
  zh: {
    title: "连接诊断", hint: "检查发信所需的各项条件：与阿里云的连接、时钟、密钥、账号、发信地址及其域名。不会发送邮件。",
    check: "开始诊断", draft: "检查尚未保存的更改。", good: "检查全部通过，该连接器可以发信。", warning: "该连接器可以发信，请留意警告。", problem: "该连接器无法发信，请查看问题。",
    skipped: "未检查", request: "RequestId {id}", steps: "检查项",
    config: "连接器", name: "接入点域名", connection: "连接", clock: "时钟", key: "访问密钥", permission: "发信权限", account: "账号与额度", sender: "发信地址", domain: "域名", reply: "回信地址",
  },
  ja: {
    title: "接続診断", hint: "送信に必要な項目（Aliyun への接続、時計、キー、アカウント、送信元アドレスとそのドメイン）を確認します。メールは送信しません。",
    check: "診断を開始", draft: "保存前の変更を確認します。", good: "すべての項目に問題はなく、このコネクターで送信できます。", warning: "このコネクターで送信できます。警告を確認してください。", problem: "このコネクターでは送信できません。問題を確認してください。",
    skipped: "未確認", request: "RequestId {id}", steps: "確認項目",
    config: "コネクター", name: "エンドポイントのホスト名", connection: "接続", clock: "時計", key: "アクセスキー", permission: "送信権限", account: "アカウントと送信枠", sender: "送信元アドレス", domain: "ドメイン", reply: "返信先",
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
