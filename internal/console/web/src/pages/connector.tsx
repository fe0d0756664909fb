// One connector: settings, templates and test mail, which share one draft.
import type { EditorView } from "@codemirror/view";
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { factory, get, send, type Answer, type Config, type Connector, type Factory, type Session } from "../api";
import { Editor } from "../editor";
import { texts } from "../i18n";
import { href, useRoute, useUnsaved } from "../route";
import { Button, ButtonLink, explain, Field, Notice, Page, Show, useLoad } from "../ui";
import { ProblemBadges, SourceBadge, StateBadge } from "./connector-badges";
import { ConnectorForm, type Region } from "./connector-form";
import { focusField, Problems } from "./connector-problems";
import { Review } from "./connector-review";
import { nameAt } from "./config-words";
import { useWork, type Work } from "./connector-work";
import { Doctor } from "./doctor";
import { blank, withoutMasks } from "./draft";
import { assistance, foldTemplates, goTo, schema, showProblems } from "./json-assist";
import { valuesOf } from "./jsonschema";
import { translated } from "./sentences";
import { TemplateEditor } from "./templates";
import { TestMail } from "./testmail";
import "./connector.css";

const t = texts({
  en: {
    newTitle: "New connector", settings: "Settings", templates: "Templates", test: "Test mail", parts: "Parts of the connector", copy: "Copy as a new connector", all: "All connectors",
    readOnly: "This connector is read-only: it comes from a file, or is the sandbox's example. Edit the file, and the service reloads it. Or copy the connector, and enter its secret again.",
    copied: "Copy of {id}. Enter its secret, which is not copied.", id: "ID", idHint: "Letters, digits, - _ and . It appears in URLs and in Logto's settings and cannot be changed later. Leave it empty to have one generated.", idNew: "“new” is reserved. Use another ID.",
    json: "JSON", jsonHint: "Press Ctrl+Space to autocomplete. Hover over a key to see what it does.", jsonLabel: "Connector as JSON", saving: "Saving", problems: "Problems: {n}", dismiss: "Dismiss", unsaved: "You have unsaved changes.", newNote: "Not created yet.",
    leave: "Leave this page? Your changes are not saved.", discard: "Discard", discardAsk: "Discard all your changes?", review: "Review and save", create: "Create the connector",
    saved: "Saved. The changes are active.", created: "The connector is created and active.", createdTest: "Send a test mail",
    conflict: "Someone else saved a newer version while you were editing. Your changes are not saved yet, but nothing is lost.", merge: "Load the newer version, keep my changes", take: "Load the newer version, discard my changes",
    merged: "Your changes now apply to the newer version. Review and save them.", contested: "Both of you changed: {keys}. Your values are kept; compare before you save.",
    taken: "This is the newer version.", brokenTemplates: "Fix the JSON under “Settings” to edit the templates.", brokenSave: "Fix the JSON first.",
  },
  zh: {
    newTitle: "新建连接器", settings: "设置", templates: "模板", test: "测试邮件", parts: "连接器的各部分", copy: "复制为新连接器", all: "所有连接器",
    readOnly: "此连接器为只读：它来自文件，或是沙箱的示例。修改文件后，服务会自动重新加载。也可以复制该连接器，然后重新输入密钥。",
    copied: "{id} 的副本。密钥不会复制，请重新输入。", id: "ID", idHint: "可用字母、数字、- _ 和 .；会出现在网址和 Logto 的设置中，之后不能更改。留空则自动生成。", idNew: "“new” 为保留 ID，请换一个。",
    json: "JSON", jsonHint: "按 Ctrl+空格自动补全；将鼠标悬停在键上可查看说明。", jsonLabel: "JSON 形式的连接器", saving: "保存", problems: "问题：{n}", dismiss: "关闭", unsaved: "有未保存的更改。", newNote: "连接器尚未创建。",
    leave: "要离开此页吗？您的更改尚未保存。", discard: "放弃更改", discardAsk: "要放弃所有更改吗？", review: "核对并保存", create: "创建连接器",
    saved: "已保存并生效。", created: "连接器已创建并生效。", createdTest: "发送测试邮件",
    conflict: "在您编辑期间，其他人保存了更新的版本。您的更改尚未保存，也没有丢失。", merge: "载入新版本，保留我的更改", take: "载入新版本，放弃我的更改",
    merged: "您的更改已应用到新版本，请核对并保存。", contested: "双方都修改了：{keys}。这里保留的是您的内容，保存前请比较。",
    taken: "这是新版本。", brokenTemplates: "请先修正“设置”中的 JSON，再编辑模板。", brokenSave: "请先修正 JSON。",
  },
  ja: {
    newTitle: "コネクターを作成", settings: "設定", templates: "テンプレート", test: "テストメール", parts: "コネクターの各部分", copy: "コピーして新規作成", all: "すべてのコネクター",
    readOnly: "このコネクターは、ファイルまたはサンドボックスの例によるもので、読み取り専用です。ファイルを変更すると自動的に反映されます。コピーする場合は、シークレットを再入力してください。",
    copied: "{id} のコピーです。シークレットはコピーされないため、入力してください。", id: "ID", idHint: "英数字と - _ . が使えます。URL と Logto の設定に使われ、後から変更できません。空欄なら自動生成されます。", idNew: "「new」は予約済みです。別の ID を指定してください。",
    json: "JSON", jsonHint: "Ctrl+Space で補完します。キーにカーソルを合わせると説明が表示されます。", jsonLabel: "コネクターの JSON", saving: "保存", problems: "問題：{n} 件", dismiss: "閉じる", unsaved: "保存されていない変更があります。", newNote: "コネクターはまだ作成されていません。",
    leave: "このページを離れますか？変更は保存されていません。", discard: "変更を破棄", discardAsk: "すべての変更を破棄しますか？", review: "確認して保存", create: "コネクターを作成",
    saved: "保存され、有効になりました。", created: "コネクターが作成され、有効になりました。", createdTest: "テストメールを送信",
    conflict: "編集中に他の人が新しいバージョンを保存しました。あなたの変更はまだ保存されていませんが、失われてはいません。", merge: "新しいバージョンを読み込み、自分の変更を残す", take: "新しいバージョンを読み込み、自分の変更を破棄する",
    merged: "あなたの変更を新しいバージョンに適用しました。確認して保存してください。", contested: "双方が変更した項目：{keys}。ここではあなたの変更を優先しています。保存前に比較してください。",
    taken: "新しいバージョンです。", brokenTemplates: "テンプレートを編集するには、先に「設定」の JSON を修正してください。", brokenSave: "先に JSON を修正してください。",
  },
});

interface PageProps {
  id: string;
  part: string;
  session: Session;
}

const newId = "new";

export function ConnectorPage(props: PageProps) {
  return props.id === newId ? <NewConnector {...props} /> : <StoredConnector {...props} />;
}

function StoredConnector(props: PageProps) {
  const loaded = useLoad((signal) => send<Connector>("GET", `api/connectors/${encodeURIComponent(props.id)}`, undefined, undefined, signal), [props.id]);
  if (loaded.data === undefined) return <Page title={props.id}><Show of={loaded}>{() => null}</Show></Page>;
  return <Workbench {...props} loaded={loaded.data} start={loaded.data.data.config} />;
}

function NewConnector(props: PageProps) {
  const { query } = useRoute();
  const [from] = useState(query.get("from"));
  const start = useLoad(async (signal) => {
    if (!from) return blank;
    const source = await get<Connector>(`api/connectors/${encodeURIComponent(from)}`, signal);
    return withoutMasks(source.config);
  }, [from]);
  if (start.data === undefined) return <Page title={t("newTitle")}><Show of={start}>{() => null}</Show></Page>;
  return <Workbench {...props} start={start.data} copyOf={from ?? undefined} />;
}

interface WorkbenchProps extends PageProps {
  loaded?: Answer<Connector>;
  start: Config;
  copyOf?: string;
}

function Workbench(props: WorkbenchProps) {
  const { part } = props;
  const { query } = useRoute();
  const work = useWork({ place: props.id, loaded: props.loaded, start: props.start, said: query.has("created") ? "created" : "" });
  const { stored, draft, dirty } = work;
  const editor = useRef<EditorView | null>(null);
  const [tests, setTests] = useState(0);
  useUnsaved(dirty, t("leave"), href("connectors", props.id));
  useEffect(() => {
    // The problems are listed with the settings.
    if (work.called && part !== "settings") location.hash = href("connectors", props.id, "settings");
  }, [work.called]);
  const connectorId = stored?.id ?? factory;
  return (
    <Page title={stored?.id ?? t("newTitle")} actions={<Actions connector={stored} />}>
      {stored && <div class="row facts"><StateBadge connector={stored} turn={tests} /><SourceBadge connector={stored} /><ProblemBadges connector={stored} /></div>}
      <Parts id={props.id} part={part} />
      {props.copyOf && <Notice kind="info">{t("copied", { id: props.copyOf })}</Notice>}
      {work.readOnly && <Notice kind="info">{t("readOnly")}</Notice>}
      {part === "settings" && <Settings work={work} place={props.id} session={props.session} editor={editor} />}
      {part === "templates" && (
        <>
          {draft.broken && <Notice kind="warning">{t("brokenTemplates")}</Notice>}
          <TemplateEditor config={draft.config} connectorId={connectorId} change={work.change} report={work.checked.report} readOnly={work.readOnly || draft.broken} />
        </>
      )}
      {part === "test" && <TestMail connectorId={connectorId} config={work.readOnly ? undefined : draft.config} dirty={dirty} ended={() => setTests((n) => n + 1)} />}
      {part === "test" && <Doctor connectorId={connectorId} config={work.readOnly ? undefined : draft.config} dirty={dirty} />}
      <div class="save-area">
        <Told work={work} place={props.id} />
        {(dirty || (!stored && part !== "test")) && <SaveBar work={work} />}
      </div>
      {work.reviewing && <Review old={work.base} mine={draft.config} busy={work.busy} error={work.failure} close={work.stopReview} save={work.save} />}
    </Page>
  );
}

/** The result of saving. */
function Told(props: { work: Work; place: string }) {
  const { said, contested, newer, failure, reviewing, takeNewer, dismiss } = props.work;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The focus is lost if its button is gone.
    if ((said || newer) && document.activeElement === document.body) box.current!.focus();
  }, [said, newer]);
  return (
    <div ref={box} class="told" tabIndex={-1} aria-live="polite">
      {said && (
        <Notice kind={contested.length ? "warning" : "good"}>
          <div class="said">
            <span>
              {t(said)} {said === "created" && <a href={href("connectors", props.place, "test")}>{t("createdTest")}</a>}
              {contested.length > 0 && t("contested", { keys: contested.map((key) => nameAt([key])).join(", ") })}
            </span>
            <button type="button" class="link" aria-label={t("dismiss")} onClick={dismiss}>✕</button>
          </div>
        </Notice>
      )}
      {newer && (
        <Notice kind="warning">
          <p>{t("conflict")}</p>
          <div class="actions">
            <Button kind="primary" onClick={() => takeNewer(true)}>{t("merge")}</Button>
            <Button onClick={() => takeNewer(false)}>{t("take")}</Button>
          </div>
        </Notice>
      )}
      {failure !== undefined && !reviewing && <Notice kind="error">{explain(failure)}</Notice>}
    </div>
  );
}

function SaveBar(props: { work: Work }) {
  const { stored, dirty, draft, discard, prepare, busy, id, newer, checked, lead } = props.work;
  const n = checked.report.errors.length;
  const note = draft.broken ? t("brokenSave") : stored ? t("unsaved") : t("newNote");
  const ask = () => {
    if (window.confirm(t("discardAsk"))) discard();
  };
  return (
    <div class="save-bar" role="region" aria-label={t("saving")}>
      <span aria-live="polite">{note} {n > 0 && !draft.broken && <button type="button" class="link bad" onClick={lead}>{t("problems", { n })}</button>}</span>
      <div class="actions">
        {dirty && <Button onClick={ask}>{t("discard")}</Button>}
        {/* Disabling it while busy would lose the focus. */}
        <Button kind="primary" aria-busy={busy} disabled={id === newId || draft.broken || newer !== undefined} onClick={busy ? undefined : prepare}>{stored ? t("review") : t("create")}</Button>
      </div>
    </div>
  );
}

function Actions(props: { connector?: Connector }) {
  return (
    <>
      <a href={href("connectors")}>{t("all")}</a>
      {props.connector && <ButtonLink href={`${href("connectors", newId)}?from=${encodeURIComponent(props.connector.id)}`}>{t("copy")}</ButtonLink>}
    </>
  );
}

function Parts(props: { id: string; part: string }) {
  return (
    <nav class="tabs parts" aria-label={t("parts")}>
      {(["settings", "templates", "test"] as const).map((part) => (
        <a key={part} href={href("connectors", props.id, part)} aria-current={part === props.part ? "page" : undefined}>{t(part)}</a>
      ))}
    </nav>
  );
}

interface SettingsProps {
  work: Work;
  place: string;
  session: Session;
  editor: RefObject<EditorView | null>;
}

function Settings(props: SettingsProps) {
  const { work, editor } = props;
  const { draft, checked, readOnly, stored } = work;
  const { report } = checked;
  const regions = useRegions();
  useEffect(() => {
    if (editor.current) showProblems(editor.current, report);
  }, [draft.text, report]);
  const own = Array.isArray(draft.config.templates);
  useEffect(() => {
    if (own && editor.current && !editor.current.hasFocus) foldTemplates(editor.current);
  }, [own]);
  useEffect(() => () => {
    editor.current = null;
  }, []);
  const go = (place: string[]) => {
    if (!focusField(place) && editor.current) goTo(editor.current, place);
  };
  return (
    <>
      <Problems checked={checked} called={work.called} go={go} readOnly={readOnly} />
      <div class="bench">
        <div class="card">
          {!stored && <IdField work={work} />}
          <ConnectorForm config={draft.config} stored={stored?.config} change={work.change} report={report} readOnly={readOnly} broken={draft.broken}
            regions={regions} place={props.place} volatile={props.session.state === "memory"} />
        </div>
        <section class="card json-side">
          <h2>{t("json")}</h2>
          <Editor value={draft.text} change={work.changeText} label={t("jsonLabel")} extensions={extensions} readOnly={readOnly} height="var(--json-height)"
            ready={(view) => { editor.current = view; }} />
          <p class="hint">{t("jsonHint")}</p>
        </section>
      </div>
    </>
  );
}

function IdField(props: { work: Work }) {
  const { id, setId, checked } = props.work;
  const error = id === newId ? t("idNew") : checked.report.errors.find((p) => p.pointer === "/id")?.detail;
  return (
    <div class="form">
      <section>
        <Field label={t("id")} hint={t("idHint")} error={error && translated(error)}>
          {(ids) => <input {...ids} class="mono" data-pointer="/id" value={id} autocomplete="off" spellcheck={false} onInput={(e) => setId(e.currentTarget.value.trim())} />}
        </Field>
      </section>
    </div>
  );
}

const extensions = [assistance];

/** The service's regions; those of the schema until they are loaded. */
function useRegions(): Region[] {
  const { data } = useLoad((signal) => get<Factory>(`api/connector-factories/${factory}`, signal), []);
  const listed = data?.formItems.find(({ key }) => key === "regionId")?.selectItems;
  return listed ?? valuesOf([schema.properties!.regionId!]).map((value) => ({ value: String(value), title: String(value) }));
}
