// A preview of a mail as it would be sent.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Config, factory, type Fault, type Preview, Problem, send, type Template } from "../api";
import { texts } from "../i18n";
import { Badge, explain, Notice, Tabs } from "../ui";
import { languageName, templateName } from "./template-names";
import { translated } from "./sentences";
import { type Payload, unsent } from "./variables";

const t = texts({
  en: {
    title: "Preview", view: "View", desktop: "Desktop", phone: "Phone", text: "Text", colours: "Mail client theme", light: "Light", dark: "Dark",
    from: "From", subject: "Subject", replyTo: "Reply-To", frame: "The mail's content", waiting: "Creating the preview…", scale: "at {percent} %",
    noText: "This mail has no plain-text version. Mail clients without HTML show its HTML as text, or nothing.",
    noHTML: "This mail is plain text only.",
    images: "This mail has remote images. They are not loaded here, so that nobody learns of the preview. Recipients see them if their mail client allows it.",
    why: "Why this template", missing: "Not sent by this flow, so shown as written: {names}.", notes: "Changed to keep the mail safe and acceptable:",
    other: "With these values, another template is sent: {name}. The one you are editing serves other languages.", elsewhere: "{name} (shared template)",
    standIn: "The connector's settings have errors. The preview uses this template and the valid settings only.", cannot: "Fix this to see the preview:",
  },
  zh: {
    title: "预览", view: "显示方式", desktop: "桌面", phone: "手机", text: "纯文本", colours: "邮件客户端的配色", light: "浅色", dark: "深色",
    from: "发件人", subject: "主题", replyTo: "回复至", frame: "邮件内容", waiting: "正在生成预览…", scale: "缩放至 {percent}%",
    noText: "这封邮件没有纯文本版本。不支持 HTML 的邮件客户端会把 HTML 显示为文字，或什么都不显示。",
    noHTML: "这封邮件只有纯文本。",
    images: "这封邮件含有外部图片。此处不加载，以免他人得知预览。如果收件人的邮件客户端允许，则会显示。",
    why: "选用该模板的原因", missing: "该流程不发送，因此原样显示：{names}。", notes: "为保证邮件安全、可被接受所做的改动：",
    other: "使用这些值时，发送的是另一个模板：{name}。您正在编辑的模板用于其他语言。", elsewhere: "共享模板中的 {name}",
    standIn: "连接器的设置有错误，预览只使用该模板和有效的设置。", cannot: "修正以下内容后才能预览：",
  },
  ja: {
    title: "プレビュー", view: "表示", desktop: "デスクトップ", phone: "スマートフォン", text: "テキスト", colours: "メールソフトの配色", light: "ライト", dark: "ダーク",
    from: "差出人", subject: "件名", replyTo: "返信先", frame: "メールの内容", waiting: "プレビューを作成中…", scale: "{percent}% で表示",
    noText: "このメールにはテキスト版がありません。HTML に対応しないメールソフトでは、HTML が文字として表示されるか、何も表示されません。",
    noHTML: "このメールはテキストのみです。",
    images: "このメールには外部の画像があります。プレビューしたことが外部に知られないよう、ここでは読み込みません。受信者のメールソフトが許可していれば表示されます。",
    why: "このテンプレートが選ばれた理由", missing: "このフローが送らないため、そのまま表示されます：{names}", notes: "メールを安全で受け付けられる形にするための変更：",
    other: "この値では別のテンプレートが送られます：{name}。編集中のテンプレートは他の言語で使われます。", elsewhere: "共有テンプレートの {name}",
    standIn: "コネクターの設定に誤りがあります。このテンプレートと有効な設定だけでプレビューしています。", cannot: "プレビューするには次の点を修正してください：",
  },
});

/** What to preview. */
export interface Asked {
  connectorId: string;
  config: Config;
  /** Position of the template in the config's list. */
  index: number;
  template: Template;
  payload: Payload;
}

interface Shown {
  preview: Preview;
  index: number;
  standIn: boolean;
}

const required = ["Register", "SignIn", "ForgotPassword", "Generic"];

/**
 * A valid config with this template first and the settings that show in a mail. It
 * serves shared templates and connectors whose settings are invalid.
 */
export function standIn(settings: Config, template: Template, without: string[] = []): Config {
  const seen = ["accountName", "fromAlias", "replyAddress", "tagName", "defaultLanguage", "onMissing"];
  const kept = seen.filter((key) => settings[key] && !without.includes(key)).map((key) => [key, settings[key]]);
  const others = required.filter((type) => type !== template.usageType).map((usageType) => ({ usageType, subject: "–", content: "{{code}}" }));
  return { accessKeyId: "preview", accessKeySecret: "preview", accountName: "no-reply@example.com", ...Object.fromEntries(kept), templates: [template, ...others] };
}

/** Removes the credentials, which no mail shows, so that masks need not be resolved. */
function withoutSecrets(config: Config): Config {
  const { securityToken: _, endpoint: __, credentials: ___, ...rest } = config;
  return { ...rest, accessKeyId: "preview", accessKeySecret: "preview" };
}

async function compose(asked: Asked, signal: AbortSignal): Promise<Shown> {
  const { template, config } = asked;
  const request = (id: string, tried: Config) =>
    send<Preview>("POST", `api/connectors/${encodeURIComponent(id)}/preview`,
      { type: template.usageType, payload: asked.payload, sample: false, config: tried }, undefined, signal);
  try {
    return { preview: (await request(asked.connectorId, withoutSecrets(config))).data, index: asked.index, standIn: false };
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "invalid_config") throw error;
    const wrong = error.errors.map((e) => e.pointer.split("/")[2] ?? "");
    return { preview: (await request(factory, standIn(config, template, wrong))).data, index: 0, standIn: true };
  }
}

/** Requests the preview when typing pauses. The last good one stays in the meantime. */
function usePreview(asked: Asked): { shown?: Shown; error?: unknown } {
  const [state, setState] = useState<{ shown?: Shown; error?: unknown }>({});
  const key = JSON.stringify(asked);
  useEffect(() => {
    const gone = new AbortController();
    const waiting = setTimeout(() => {
      compose(asked, gone.signal).then(
        (shown) => setState({ shown }),
        (error) => gone.signal.aborted || setState((s) => ({ ...s, error })),
      );
    }, 300);
    return () => {
      clearTimeout(waiting);
      gone.abort();
    };
  }, [key]);
  return state;
}

type View = "desktop" | "phone" | "text";
type Colours = "light" | "dark";

export function PreviewPane(props: { asked: Asked; about: ComponentChildren }) {
  const { shown, error } = usePreview(props.asked);
  const [view, setView] = useState<View>(() => (window.innerWidth < 700 ? "phone" : "desktop"));
  const [colours, setColours] = useState<Colours>("light");
  return (
    <section class="card preview" aria-label={t("title")}>
      <header class="page-head">
        <h3>{t("title")}</h3>
        <div class="row">
          <Tabs<View> label={t("view")} chosen={view} choose={setView} tabs={[["desktop", t("desktop")], ["phone", t("phone")], ["text", t("text")]]} />
          <Tabs<Colours> label={t("colours")} chosen={colours} choose={setColours} tabs={[["light", t("light")], ["dark", t("dark")]]} />
        </div>
      </header>
      {error !== undefined && <Refusal error={error} />}
      {!shown && error === undefined && <p class="muted" role="status">{t("waiting")}</p>}
      {shown && <MailShown shown={shown} asked={props.asked} view={view} colours={colours} />}
      <p class="hint about">{props.about}</p>
    </section>
  );
}

function Refusal(props: { error: unknown }) {
  const errors: Fault[] = props.error instanceof Problem ? props.error.errors : [];
  if (errors.length === 0) return <Notice kind="error">{explain(props.error)}</Notice>;
  return (
    <Notice kind="warning">
      {t("cannot")}
      <ul>{errors.map((e) => <li key={e.pointer}><code>{e.pointer.replace(/^\/config\//, "")}</code> {translated(e.detail)}</li>)}</ul>
    </Notice>
  );
}

function MailShown(props: { shown: Shown; asked: Asked; view: View; colours: Colours }) {
  const { preview } = props.shown;
  const html = preview.html ?? "";
  return (
    <>
      {props.shown.standIn && <Notice kind="info">{t("standIn")}</Notice>}
      <dl class="mail-head">
        <dt>{t("subject")}</dt><dd class="subject">{preview.subject}</dd>
        <dt>{t("from")}</dt><dd>{preview.fromAlias ? `${preview.fromAlias} <${preview.accountName}>` : preview.accountName}</dd>
        {preview.replyAddress && <><dt>{t("replyTo")}</dt><dd>{preview.replyAddress}</dd></>}
      </dl>
      {props.view === "text" ? <TextForm preview={preview} colours={props.colours} /> : <Content html={html} text={preview.text} view={props.view} colours={props.colours} />}
      {hasRemoteImages(html) && <p class="hint images">{t("images")}</p>}
      <Reasons {...props} />
    </>
  );
}

function TextForm(props: { preview: Preview; colours: Colours }) {
  if (!props.preview.text) return <p class="muted">{t("noText")}</p>;
  return <pre class="mail-text" style={{ colorScheme: props.colours }}>{props.preview.text}</pre>;
}

function Content(props: { html: string; text?: string; view: "desktop" | "phone"; colours: Colours }) {
  if (!props.html) return <><p class="hint">{t("noHTML")}</p><pre class={`mail-text ${props.view}`} style={{ colorScheme: props.colours }}>{props.text}</pre></>;
  return <MailFrame html={props.html} width={props.view === "phone" ? 360 : 640} colours={props.colours} label={t("frame")} />;
}

// Stricter than the page's own policy: the mail may not even send requests to this
// service, and its links open nothing.
const guard = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"><base target="_blank">`;

/** Inserts the policy after the doctype, which determines the layout mode. */
function guarded(html: string): string {
  const doctype = /^\s*<!doctype[^>]*>/i.exec(html)?.[0] ?? "";
  return doctype + guard + html.slice(doctype.length);
}

/**
 * A mail in a sandboxed frame that runs no scripts. The frame's colour scheme is the
 * preference that the mail sees.
 */
export function MailFrame(props: { html: string; width: number; colours: "light" | "dark"; label: string; height?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(props.width);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => setRoom(box.current!.clientWidth));
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);
  const height = props.height ?? 560;
  const scale = Math.min(1, room / props.width);
  return (
    <>
      <div class="mail-frame" ref={box} style={{ height: `${height}px`, colorScheme: props.colours }}>
        {/* A frame keeps the colour scheme it was loaded with. */}
        <iframe key={props.colours} sandbox="" srcdoc={guarded(props.html)} title={props.label}
          style={{ width: `${props.width}px`, height: `${height / scale}px`, transform: `scale(${scale})`, colorScheme: props.colours }} />
      </div>
      {scale < 0.995 && <p class="hint">{t("scale", { percent: Math.round(scale * 100) })}</p>}
    </>
  );
}

export function hasRemoteImages(html: string): boolean {
  return /(?:src|srcset|background|poster)\s*=\s*["']?\s*(?:https?:)?\/\//i.test(html) || /url\(\s*["']?\s*(?:https?:)?\/\//i.test(html);
}

function Reasons(props: { shown: Shown; asked: Asked }) {
  const trace = props.shown.preview.template;
  const missing = [...new Set([...unsent(props.asked.template, props.asked.payload), ...(trace.missing ?? [])])];
  const other = trace.template !== props.shown.index;
  const name = templateName(trace);
  return (
    <div class="reasons" aria-live="polite">
      {other && <Notice kind="warning">{t("other", { name: trace.emailTemplate ? t("elsewhere", { name }) : name })}</Notice>}
      {!other && missing.length > 0 && <p><Badge tone="warn">{missing.length}</Badge> {t("missing", { names: missing.map((m) => `{{${m}}}`).join(", ") })}</p>}
      {trace.notes && <><p>{t("notes")}</p><ul>{trace.notes.map((n) => <li key={n}>{translated(n)}</li>)}</ul></>}
      <details>
        <summary>{t("why")}: {languageName(trace.languageTag)}</summary>
        <ol>{(trace.choice ?? []).map((step) => <li key={step}>{translated(step)}</li>)}</ol>
      </details>
    </div>
  );
}
