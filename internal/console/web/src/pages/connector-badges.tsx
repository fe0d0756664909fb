import type { Connector } from "../api";
import { texts } from "../i18n";
import { href } from "../route";
import { Badge, explain, Time, useLoad } from "../ui";
import { loadState, type State } from "./connector-state";

const t = texts({
  en: { working: "Working", refused: "Rejected by Aliyun", undecided: "No answer from Aliyun yet", unused: "Never used", idle: "Inactive", last: "last mail", see: "View the message",
    idleWhy: "It has problems and sends nothing.", test: "Send a test mail",
    file: "File", state: "Created here", readOnly: "read-only", problems: "{n} problems", problem: "1 problem", warnings: "{n} warnings", warning: "1 warning",
    older: "An older version is active", loading: "Checking…" },
  zh: { working: "正常", refused: "被阿里云拒绝", undecided: "阿里云尚未响应", unused: "从未使用", idle: "未生效", last: "最近一封", see: "查看邮件",
    idleWhy: "存在问题，不会发送邮件。", test: "发送测试邮件",
    file: "文件", state: "在此创建", readOnly: "只读", problems: "{n} 个问题", problem: "1 个问题", warnings: "{n} 个警告", warning: "1 个警告",
    older: "旧版本仍在生效", loading: "正在检查…" },
  ja: { working: "正常", refused: "Aliyun が拒否", undecided: "Aliyun の応答はまだありません", unused: "未使用", idle: "停止中（設定に問題）", last: "最新のメール", see: "メッセージを見る",
    idleWhy: "問題があるため送信しません。", test: "テストメールを送信",
    file: "ファイル", state: "ここで作成", readOnly: "読み取り専用", problems: "問題 {n} 件", problem: "問題 1 件", warnings: "警告 {n} 件", warning: "警告 1 件",
    older: "以前のバージョンで動作中", loading: "確認中…" },
});

const tones = { working: "good", refused: "bad", undecided: "warn", unused: "calm", idle: "bad" } as const;

/** The connector's state and its source message, loaded again with each turn. */
export function StateBadge(props: { connector: Connector; brief?: boolean; turn?: number }) {
  const { connector } = props;
  const { data, error } = useLoad((signal) => loadState(connector, signal), [connector.id, connector.dmconnector.version, props.turn]);
  if (error !== undefined) return <span class="muted small">{explain(error)}</span>;
  if (!data) return <span class="muted small">{t("loading")}</span>;
  const badge = <Badge tone={tones[data.kind]}>{t(data.kind)}</Badge>;
  if (props.brief) return badge;
  return <div class="state">{badge}<span class="small muted"><Reason id={connector.id} state={data} /></span></div>;
}

function Reason(props: { id: string; state: State }) {
  const { state } = props;
  switch (state.kind) {
    case "idle":
      return <>{t("idleWhy")}</>;
    case "unused":
      return <a href={href("connectors", props.id, "test")}>{t("test")}</a>;
    case "working":
      return <>{t("last")} <Time iso={state.message.updatedAt} /></>;
    default:
      return <><Time iso={state.message.updatedAt} /> · <a href={href("messages", state.message.id)}>{t("see")}</a></>;
  }
}

export function SourceBadge(props: { connector: Connector }) {
  const { source, readOnly } = props.connector.dmconnector;
  return <Badge tone="calm">{t(source)}{readOnly && ` · ${t("readOnly")}`}</Badge>;
}

/** The number of problems and warnings of the stored config. */
export function ProblemBadges(props: { connector: Connector }) {
  const { problems, warnings, active } = props.connector.dmconnector;
  const [p, w] = [problems?.length ?? 0, warnings?.length ?? 0];
  return (
    <>
      {p > 0 && <Badge tone="bad">{p === 1 ? t("problem") : t("problems", { n: p })}</Badge>}
      {p > 0 && active && <Badge tone="warn">{t("older")}</Badge>}
      {w > 0 && <Badge tone="warn">{w === 1 ? t("warning") : t("warnings", { n: w })}</Badge>}
    </>
  );
}
