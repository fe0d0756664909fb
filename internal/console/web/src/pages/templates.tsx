import { useEffect, useMemo, useState } from "preact/hooks";
import { call, type Config, type Connector, type EmailTemplate, factory, type Fault, type Faults, get, send, type Template, usageTypeValues } from "../api";
import { texts } from "../i18n";
import { useUnsaved } from "../route";
import { Button, explain, Notice, Page, Show, useLoad } from "../ui";
import { standIn } from "./preview";
import { asTemplate, languagesOf } from "./template-choice";
import { languageName, templateName, usageTypeName } from "./template-names";
import { TemplateSet } from "./template-set";
import { translated } from "./sentences";
import "./templates.css";

const t = texts({
  en: {
    title: "Templates", intro: "All connectors share these templates. A connector's own template for the same type and language takes precedence.",
    save: "Save", saveMany: "Save ({n})", saved: "Saved.", unsaved: "Leave this page? Your changes are not saved.", type: "Usage type", language: "Language", allTypes: "All types", allLanguages: "All languages",
    removeShown: "Delete these ({n})", sureShown: "Delete the templates shown ({n})? This cannot be undone.", sender: "Connector", noConnector: "an example",
    aboutShared: "Includes unsaved changes. Sent through this connector:",
    aboutOwn: "The mail as this connector would send it, including unsaved changes.",
    builtin: "The built-in templates are in use: nine types in English, Chinese (Simplified and Traditional) and Japanese. They improve with each version.", mine: "Customize a copy", useBuiltin: "Use the built-in templates",
    builtinAgain: "Replace these templates with the built-in ones?", refused: "Not saved:",
  },
  zh: {
    title: "模板", intro: "所有连接器共用这些模板。连接器对同一用途和语言有自己的模板时，优先使用自己的。",
    save: "保存", saveMany: "保存（{n}）", saved: "已保存。", unsaved: "要离开此页吗？您的更改尚未保存。", type: "用途", language: "语言", allTypes: "所有用途", allLanguages: "所有语言",
    removeShown: "删除这些（{n}）", sureShown: "要删除显示的 {n} 个模板吗？此操作无法撤销。", sender: "连接器", noConnector: "示例",
    aboutShared: "预览包含未保存的更改。通过此连接器发送：",
    aboutOwn: "此连接器将发送的邮件，包含未保存的更改。",
    builtin: "正在使用内置模板：九种用途，英语、中文（简体和繁体）及日语。随版本更新自动改进。", mine: "复制为自定义模板", useBuiltin: "使用内置模板",
    builtinAgain: "要用内置模板替换这些模板吗？", refused: "未保存：",
  },
  ja: {
    title: "テンプレート", intro: "これらのテンプレートはすべてのコネクターで共有されます。コネクターに同じ用途と言語の独自テンプレートがあれば、そちらが優先されます。",
    save: "保存", saveMany: "保存（{n}）", saved: "保存しました。", unsaved: "このページを離れますか？変更は保存されていません。", type: "用途", language: "言語", allTypes: "すべての用途", allLanguages: "すべての言語",
    removeShown: "表示分を削除（{n}）", sureShown: "表示中のテンプレート（{n} 件）を削除しますか？元に戻せません。", sender: "コネクター", noConnector: "例",
    aboutShared: "保存前の変更を含む表示です。次のコネクターで送信した場合：",
    aboutOwn: "このコネクターが送信するメールです（保存前の変更を含む）。",
    builtin: "組み込みテンプレートを使用中です。9 種類の用途に、英語・中国語（簡体字と繁体字）・日本語で対応し、バージョンアップとともに改善されます。", mine: "コピーして編集", useBuiltin: "組み込みテンプレートを使う",
    builtinAgain: "これらのテンプレートを組み込みテンプレートに置き換えますか？", refused: "保存できませんでした：",
  },
});

const loadBuiltinTemplates = (signal: AbortSignal) => get<Template[]>(`api/connector-factories/${factory}/templates`, signal);

/** The problems below a pointer, with pointers relative to it. */
function below(problems: Fault[], pointer: string): Fault[] {
  return problems.filter((p) => p.pointer === pointer || p.pointer.startsWith(`${pointer}/`)).map((p) => ({ ...p, pointer: p.pointer.slice(pointer.length) }));
}

interface EditorProps {
  config: Config;
  connectorId: string;
  change: (config: Config) => void;
  report: Faults;
  readOnly: boolean;
}

/** The templates of one connector, as part of its page. */
export function TemplateEditor(props: EditorProps) {
  const builtinTemplates = useLoad(loadBuiltinTemplates, []);
  return <Show of={builtinTemplates}>{(list) => <OwnTemplates {...props} builtinTemplates={list} />}</Show>;
}

function OwnTemplates(props: EditorProps & { builtinTemplates: Template[] }) {
  const { config, builtinTemplates, report } = props;
  const builtin = config.templates === "builtin";
  const templates = Array.isArray(config.templates) ? config.templates : builtin ? builtinTemplates : [];
  const change = (next: Template[] | "builtin") => props.change({ ...config, templates: next });
  const problems = useMemo(() => templates.map((_, i): Faults => ({
    errors: below(report.errors, `/config/templates/${i}`), warnings: below(report.warnings, `/config/templates/${i}`),
  })), [templates, report]);
  const useBuiltin = () => (templates.length === 0 || window.confirm(t("builtinAgain"))) && change("builtin");
  const list = report.errors.filter((p) => p.pointer === "/config/templates");
  return (
    <>
      {builtin && <div class="builtin notice info"><span>{t("builtin")}</span>{!props.readOnly && <Button onClick={() => change(builtinTemplates)}>{t("mine")}</Button>}</div>}
      {list.map((p) => <Notice key={p.detail} kind="error">{translated(p.detail)}</Notice>)}
      <TemplateSet templates={templates} builtinTemplates={builtinTemplates} change={change} readOnly={props.readOnly || builtin} shared={false}
        problems={(i) => (builtin ? none : problems[i] ?? none)} setting={(index) => ({ connectorId: props.connectorId || factory, config, index })}
        defaultLanguage={typeof config.defaultLanguage === "string" ? config.defaultLanguage : undefined} about={t("aboutOwn")}
        filters={!props.readOnly && !builtin && <Button kind="plain" onClick={useBuiltin}>{t("useBuiltin")}</Button>} />
    </>
  );
}

const none: Faults = { errors: [], warnings: [] };

export function TemplatesPage() {
  const loaded = useLoad(async (signal) => {
    const [stored, connectors, builtinTemplates] = await Promise.all([
      get<EmailTemplate[]>("api/email-templates", signal), get<Connector[]>("api/connectors", signal), loadBuiltinTemplates(signal),
    ]);
    return { stored, connectors, builtinTemplates };
  }, []);
  if (!loaded.data) return <Page title={t("title")}><Show of={loaded}>{() => null}</Show></Page>;
  return <SharedTemplates {...loaded.data} />;
}

interface SharedProps {
  stored: EmailTemplate[];
  connectors: Connector[];
  builtinTemplates: Template[];
}

const identity = (template: Template) => `${template.usageType} ${template.languageTag}`;

function detailsOf(template: Template): EmailTemplate["details"] {
  const { usageType: _, languageTag: __, text: ___, escape: ____, ...details } = template;
  return details;
}

/** The drafts in list order, and which of them differ from the stored ones. */
function useDrafts(first: EmailTemplate[]) {
  const [stored, setStored] = useState(first);
  const [drafts, setDrafts] = useState<Template[]>(() => first.map(asTemplate));
  const before = useMemo(() => new Map(stored.map((x) => [identity(asTemplate(x)), JSON.stringify(asTemplate(x))])), [stored]);
  const changed = drafts.filter((d) => before.get(identity(d)) !== JSON.stringify(d));
  const idOf = (draft: Template) => stored.find((x) => identity(asTemplate(x)) === identity(draft))?.id;

  const save = async () => {
    const body = changed.map((d) => ({ languageTag: d.languageTag, templateType: d.usageType, details: detailsOf(d) }));
    await send<EmailTemplate[]>("PUT", "api/email-templates", { templates: body });
    const now = await get<EmailTemplate[]>("api/email-templates");
    setStored(now);
    // The open template keeps its position.
    const order = drafts.map(identity);
    const place = (x: Template) => (order.indexOf(identity(x)) + order.length + 1) % (order.length + 1);
    setDrafts(now.map(asTemplate).sort((a, b) => place(a) - place(b)));
  };
  const remove = async (index: number) => {
    const id = idOf(drafts[index]!);
    if (id) await call("DELETE", `api/email-templates/${encodeURIComponent(id)}`);
    setStored((list) => list.filter((x) => x.id !== id));
    setDrafts((list) => list.filter((_, i) => i !== index));
  };
  const removeMany = async (type: string, language: string) => {
    const query = new URLSearchParams();
    if (type) query.set("templateType", type);
    if (language) query.set("languageTag", language);
    await call("DELETE", `api/email-templates?${query}`);
    const gone = (x: Template) => (!type || x.usageType === type) && (!language || x.languageTag === language);
    setStored((list) => list.filter((x) => !gone(asTemplate(x))));
    setDrafts((list) => list.filter((x) => !gone(x)));
  };
  return { drafts, setDrafts, changed, save, remove, removeMany };
}

function SharedTemplates({ stored, connectors, builtinTemplates }: SharedProps) {
  const { drafts, setDrafts, changed, save, remove, removeMany } = useDrafts(stored);
  const [type, setType] = useState("");
  const [language, setLanguage] = useState("");
  const [open, setOpen] = useState<number | null>(null);
  const [connectorId, setConnectorId] = useState(connectors[0]?.id ?? "");
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{ error?: unknown; saved?: boolean }>({});
  useUnsaved(changed.length > 0, t("unsaved"));
  const settings = connectors.find((c) => c.id === connectorId)?.config ?? {};
  const openTemplate = open === null ? undefined : drafts[open];
  const problems = useValidation(openTemplate);

  const act = async (work: () => Promise<void>, saved = false) => {
    setBusy(true);
    setSaid({});
    await work().then(() => setSaid({ saved }), (error: unknown) => setSaid({ error }));
    setBusy(false);
  };
  const change = (next: Template[]) => {
    setSaid({});
    setDrafts(next);
  };
  const listed = drafts.filter((d) => (!type || d.usageType === type) && (!language || d.languageTag === language));
  const removeListed = () => window.confirm(t("sureShown", { n: listed.length })) && act(() => removeMany(type, language));
  const filters = (
    <>
      <select aria-label={t("type")} value={type} onChange={(e) => setType(e.currentTarget.value)}>
        <option value="">{t("allTypes")}</option>
        {usageTypeValues.map((x) => <option key={x} value={x}>{usageTypeName(x)}</option>)}
      </select>
      <select aria-label={t("language")} value={language} onChange={(e) => setLanguage(e.currentTarget.value)}>
        <option value="">{t("allLanguages")}</option>
        {languagesOf(drafts).map((x) => <option key={x} value={x}>{languageName(x)}</option>)}
      </select>
      {(type || language) && listed.length > 0 && <Button kind="plain" onClick={removeListed}>{t("removeShown", { n: listed.length })}</Button>}
    </>
  );
  const about = (
    <>
      {t("aboutShared")}{" "}
      <select class="inline" aria-label={t("sender")} value={connectorId} onChange={(e) => setConnectorId(e.currentTarget.value)}>
        {connectors.map((c) => <option key={c.id} value={c.id}>{c.id}</option>)}
        <option value="">{t("noConnector")}</option>
      </select>
    </>
  );
  const actions = <Button kind="primary" busy={busy} disabled={changed.length === 0} onClick={() => act(save, true)}>{changed.length > 1 ? t("saveMany", { n: changed.length }) : t("save")}</Button>;
  return (
    <Page title={t("title")} actions={actions}>
      {open === null && <p class="muted">{t("intro")}</p>}
      <div aria-live="polite">{said.saved && <Notice kind="good">{t("saved")}</Notice>}</div>
      {said.error !== undefined && <SaveRefusal error={said.error} sent={changed} />}
      <TemplateSet templates={drafts} builtinTemplates={builtinTemplates.map(({ text: _, ...rest }) => rest)} change={change} remove={(i) => act(() => remove(i))} readOnly={false} shared
        problems={(i) => (i === open ? problems : none)} setting={(index) => ({ connectorId: factory, config: standIn(settings, drafts[index]!), index: 0 })}
        about={about} filters={filters} type={type} language={language || undefined} opened={setOpen} />
    </Page>
  );
}

function SaveRefusal(props: { error: unknown; sent: Template[] }) {
  const errors = props.error instanceof Error && "errors" in props.error ? (props.error.errors as Fault[]) : [];
  const where = (pointer: string) => {
    const [, , index, ...rest] = pointer.split("/");
    const template = props.sent[Number(index)];
    return `${template ? templateName(template) : ""} ${rest.at(-1) ?? ""}`;
  };
  return (
    <Notice kind="error">
      {t("refused")} {errors.length === 0 && explain(props.error)}
      {errors.length > 0 && <ul>{errors.map((e) => <li key={e.pointer}>{where(e.pointer)}: {translated(e.detail)}</li>)}</ul>}
    </Notice>
  );
}

/** Validates a shared template as part of a connector, since the service validates only those. */
function useValidation(template: Template | undefined): Faults {
  const [problems, setProblems] = useState<Faults>(none);
  const key = JSON.stringify(template);
  useEffect(() => {
    if (!template) return setProblems(none);
    const gone = new AbortController();
    const waiting = setTimeout(() => {
      send<Faults>("POST", `api/connector-factories/${factory}/validate`, { config: standIn({}, template) }, undefined, gone.signal).then(
        ({ data }) => setProblems({ errors: below(data.errors, "/config/templates/0"), warnings: below(data.warnings, "/config/templates/0") }),
        // Saving reports problems as well.
        () => gone.signal.aborted || setProblems(none),
      );
    }, 300);
    return () => {
      clearTimeout(waiting);
      gone.abort();
    };
  }, [key]);
  return problems;
}
