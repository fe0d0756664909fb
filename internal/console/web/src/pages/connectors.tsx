import { useEffect, useRef, useState } from "preact/hooks";
import { get, send, type Connector } from "../api";
import { texts } from "../i18n";
import { href } from "../route";
import { Button, ButtonLink, Dialog, Empty, explain, Notice, Page, Show, useLoad } from "../ui";
import { regionName } from "./config-words";
import { ProblemBadges, SourceBadge, StateBadge } from "./connector-badges";
import "./connector.css";

const t = texts({
  en: { title: "Connectors", create: "New connector", name: "Connector", sender: "Sender", region: "Region", source: "Source", state: "State", actions: "Actions",
    empty: "There is no connector yet.", emptyHelp: "A connector holds an Aliyun key, a sender address and the templates. Create one here, or start the service with --connectors and a folder of JSON files.",
    delete: "Delete", deleteOne: "Delete {id}", ask: "Delete the connector {id}?", askHelp: "It can no longer send mail, and its secret is lost for good. Its messages stay in the list.",
    sure: "Delete it", cancel: "Keep it", deleted: "The connector {id} is deleted.", ownEndpoint: "own endpoint" },
  zh: { title: "连接器", create: "新建连接器", name: "连接器", sender: "发信地址", region: "地域", source: "来源", state: "状态", actions: "操作",
    empty: "还没有连接器。", emptyHelp: "连接器包含阿里云密钥、发信地址和模板。可以在这里新建，也可以用 --connectors 指定 JSON 文件所在的目录来启动服务。",
    delete: "删除", deleteOne: "删除 {id}", ask: "要删除连接器 {id} 吗？", askHelp: "删除后无法再用它发送邮件，其密钥也无法找回。邮件记录仍会保留。",
    sure: "删除", cancel: "保留", deleted: "连接器 {id} 已删除。", ownEndpoint: "自定义接入点" },
  ja: { title: "コネクター", create: "コネクターを作成", name: "コネクター", sender: "送信元", region: "リージョン", source: "登録元", state: "状態", actions: "操作",
    empty: "コネクターはまだありません。", emptyHelp: "コネクターには Aliyun のキー、送信元アドレス、テンプレートが入ります。ここで作成するか、JSON ファイルのフォルダーを --connectors で指定してサービスを起動してください。",
    delete: "削除", deleteOne: "{id} を削除", ask: "コネクター {id} を削除しますか？", askHelp: "削除後はこのコネクターで送信できず、シークレットも元に戻せません。メッセージの記録は残ります。",
    sure: "削除", cancel: "残す", deleted: "コネクター {id} を削除しました。", ownEndpoint: "独自のエンドポイント" },
});

export function ConnectorsPage() {
  const list = useLoad((signal) => get<Connector[]>("api/connectors", signal), []);
  const [asked, setAsked] = useState<Connector | null>(null);
  const [deleted, setDeleted] = useState("");
  const done = (id: string) => {
    setAsked(null);
    setDeleted(id);
    list.reload();
    document.querySelector<HTMLElement>("main h1")?.focus();
  };
  return (
    <Page title={t("title")} actions={<ButtonLink href={href("connectors", "new")} kind="primary">{t("create")}</ButtonLink>}>
      <div aria-live="polite">{deleted && <Notice kind="good">{t("deleted", { id: deleted })}</Notice>}</div>
      <Show of={list}>
        {(connectors) => (connectors.length ? <List connectors={connectors} ask={setAsked} /> : <None />)}
      </Show>
      {asked && <Deletion connector={asked} close={() => setAsked(null)} done={done} />}
    </Page>
  );
}

function None() {
  return (
    <Empty>
      <h2>{t("empty")}</h2>
      <p class="empty-help">{t("emptyHelp")}</p>
      <ButtonLink href={href("connectors", "new")} kind="primary">{t("create")}</ButtonLink>
    </Empty>
  );
}

function List(props: { connectors: Connector[]; ask: (c: Connector) => void }) {
  return (
    <div class="table" role="region" aria-label={t("title")} tabIndex={0}>
      <table class="connectors">
        <thead>
          <tr>
            <th scope="col">{t("name")}</th><th scope="col">{t("state")}</th><th scope="col">{t("sender")}</th><th scope="col">{t("region")}</th>
            <th scope="col">{t("source")}</th><th scope="col"><span class="visually-hidden">{t("actions")}</span></th>
          </tr>
        </thead>
        <tbody>{props.connectors.map((c) => <Row key={c.id} connector={c} ask={props.ask} />)}</tbody>
      </table>
    </div>
  );
}

function Row(props: { connector: Connector; ask: (c: Connector) => void }) {
  const { connector } = props;
  const { config, id } = connector;
  const name = nameOf(connector);
  return (
    <tr>
      <td class="who">
        <a href={href("connectors", id, "settings")}>{name || id}</a>
        {name && <div class="small muted mono">{id}</div>}
      </td>
      <td>
        <StateBadge connector={connector} />
        <div class="row badges"><ProblemBadges connector={connector} /></div>
      </td>
      <td class="who sender" data-name={t("sender")}>
        {text(config.accountName) || "—"}
        {text(config.fromAlias) && <div class="small muted">{text(config.fromAlias)}</div>}
      </td>
      <td data-name={t("region")}><Region regionId={text(config.regionId)} endpoint={text(config.endpoint)} /></td>
      <td data-name={t("source")}><SourceBadge connector={connector} /></td>
      <td class="end">
        {!connector.dmconnector.readOnly && (
          <Button kind="plain" aria-label={t("deleteOne", { id })} onClick={() => props.ask(connector)}>{t("delete")}</Button>
        )}
      </td>
    </tr>
  );
}

function Region(props: { regionId: string; endpoint: string }) {
  const id = props.regionId || "cn-hangzhou";
  return (
    <>
      {regionName(id)}
      {regionName(id) !== id && <div class="small muted mono">{id}</div>}
      {props.endpoint && <div class="small muted" title={props.endpoint}>{t("ownEndpoint")}</div>}
    </>
  );
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The name in Logto's metadata, if any: one text, or one by language. */
function nameOf(connector: Connector): string {
  const { name } = connector.metadata;
  if (typeof name === "string") return name;
  if (typeof name !== "object" || name === null) return "";
  const names = name as Record<string, unknown>;
  return text(names[document.documentElement.lang]) || text(names.en) || text(Object.values(names)[0]);
}

function Deletion(props: { connector: Connector; close: () => void; done: (id: string) => void }) {
  const { id, dmconnector } = props.connector;
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const keep = useRef<HTMLDivElement>(null);
  useEffect(() => keep.current?.querySelector("button")?.focus(), []);
  const remove = async () => {
    setBusy(true);
    try {
      await send("DELETE", `api/connectors/${encodeURIComponent(id)}`, undefined, { "If-Match": `"${dmconnector.version}"` });
      props.done(id);
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return (
    <Dialog title={t("ask", { id })} close={props.close}>
      <p>{t("askHelp")}</p>
      {error !== undefined && <Notice kind="error">{explain(error)}</Notice>}
      <div class="actions" ref={keep}>
        <Button onClick={props.close}>{t("cancel")}</Button>
        <Button kind="danger" busy={busy} onClick={remove}>{t("sure")}</Button>
      </div>
    </Dialog>
  );
}
