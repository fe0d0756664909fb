// The sandbox's inbox.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, type SandboxMail, send } from "../api";
import { formatTime, texts } from "../i18n";
import { href } from "../route";
import { Button, CopyButton, copyText, Dialog, Empty, explain, Notice, Page, Tabs, Time } from "../ui";
import { useEvery } from "./live";
import "./messages.css";
import { hasRemoteImages, MailFrame } from "./preview";

const t = texts({
  en: {
    title: "Sandbox inbox", clear: "Empty the inbox", clearTitle: "Empty the inbox?", clearText: "This deletes every mail in it ({n}).", cancel: "Cancel", list: "Mails", none: "No mail yet", noneText: "Mails appear here as soon as the service sends them. Send one:", copy: "Copy the command",
    loading: "Loading…", from: "From", to: "To", replyTo: "Reply-To", subject: "Subject", time: "Time", tag: "Tag", code: "Code", copied: "Copied", click: "Click to copy", view: "View", html: "HTML", text: "Text",
    colours: "Mail client theme", light: "Light", dark: "Dark", gone: "This mail is no longer in the inbox.", frame: "The mail's content", noSubject: "(no subject)", noText: "This mail has no plain-text version.", noHTML: "This mail is plain text only.", back: "All mails", images: "Remote images are not loaded here. Recipients see them if their mail client allows it.",
    curlToken: "Replace $SEND_TOKEN with a send token.",
  },
  zh: {
    title: "沙箱收件箱", clear: "清空收件箱", clearTitle: "要清空收件箱吗？", clearText: "将删除其中的全部 {n} 封邮件。", cancel: "取消", list: "邮件", none: "还没有邮件", noneText: "服务发送的邮件会立即出现在这里。发送一封：", copy: "复制命令",
    loading: "正在加载…", from: "发件人", to: "收件人", replyTo: "回复至", subject: "主题", time: "时间", tag: "标签", code: "验证码", copied: "已复制", click: "点击复制", view: "显示方式", html: "HTML", text: "纯文本",
    colours: "邮件客户端的配色", light: "浅色", dark: "深色", gone: "这封邮件已不在收件箱中。", frame: "邮件内容", noSubject: "（无主题）", noText: "这封邮件没有纯文本版本。", noHTML: "这封邮件只有纯文本。", back: "全部邮件", images: "此处不加载外部图片。如果收件人的邮件客户端允许，则会显示。",
    curlToken: "请用发送令牌替换 $SEND_TOKEN。",
  },
  ja: {
    title: "サンドボックス受信箱", clear: "受信箱を空にする", clearTitle: "受信箱を空にしますか？", clearText: "{n} 通すべてを削除します。", cancel: "キャンセル", list: "メール", none: "メールはまだありません", noneText: "サービスが送信したメールはすぐにここに表示されます。1 通送ってみましょう：", copy: "コマンドをコピー",
    loading: "読み込み中…", from: "差出人", to: "宛先", replyTo: "返信先", subject: "件名", time: "日時", tag: "タグ", code: "コード", copied: "コピーしました", click: "クリックでコピー", view: "表示", html: "HTML", text: "テキスト",
    colours: "メールソフトの配色", light: "ライト", dark: "ダーク", gone: "このメールはもう受信箱にありません。", frame: "メールの内容", noSubject: "（件名なし）", noText: "このメールにはテキスト版がありません。", noHTML: "このメールはテキストのみです。", back: "すべてのメール", images: "外部の画像はここでは読み込みません。受信者のメールソフトが許可していれば表示されます。",
    curlToken: "$SEND_TOKEN を送信用トークンに置き換えてください。",
  },
});

function useInbox(): { mails?: SandboxMail[]; error?: unknown; load: () => Promise<void> } {
  const [state, setState] = useState<{ mails?: SandboxMail[]; error?: unknown }>({});
  const load = async () => {
    try {
      const { mails } = await get<{ mails: SandboxMail[] }>("api/inbox");
      // Mails never change: with the same count and first mail, nothing has to be rendered.
      setState((s) => (s.mails && s.mails.length === mails.length && s.mails[0]?.id === mails[0]?.id && !s.error ? s : { mails }));
    } catch (error) {
      setState((s) => ({ ...s, error }));
    }
  };
  useEffect(() => { void load(); }, []);
  useEvery(2000, load);
  return { ...state, load };
}

export function InboxPage(props: { id?: string }) {
  const { mails, error, load } = useInbox();
  const [asked, setAsked] = useState(false);
  const clear = async () => {
    await send("DELETE", "api/inbox");
    setAsked(false);
    location.hash = href("inbox");
    await load();
  };
  const chosen = props.id ? mails?.find((m) => m.id === props.id) : mails?.[0];
  const some = mails !== undefined && mails.length > 0;
  return (
    <Page title={t("title")} actions={some && <Button onClick={() => setAsked(true)}>{t("clear")}</Button>}>
      {error !== undefined && <Notice kind="error">{explain(error)}</Notice>}
      {!mails && error === undefined && <p class="muted" role="status">{t("loading")}</p>}
      {mails && !some && <NoMail />}
      {some && (
        <div class={props.id ? "inbox chosen" : "inbox"}>
          <MailList mails={mails} shown={chosen?.id} />
          {chosen ? <MailView key={chosen.id} mail={chosen} /> : <section class="card"><p class="back"><a href={href("inbox")}>{t("back")}</a></p><Notice kind="info">{t("gone")}</Notice></section>}
        </div>
      )}
      {asked && (
        <Dialog title={t("clearTitle")} close={() => setAsked(false)}>
          <p>{t("clearText", { n: mails?.length ?? 0 })}</p>
          <div class="row"><Button kind="danger" onClick={clear}>{t("clear")}</Button><Button onClick={() => setAsked(false)}>{t("cancel")}</Button></div>
        </Dialog>
      )}
    </Page>
  );
}

function NoMail() {
  const url = new URL("api/send", document.baseURI).href;
  const command = `curl -sS -X POST ${url} -H "Authorization: Bearer $SEND_TOKEN" -H 'Content-Type: application/json' -d '{"to":"user@example.com","type":"SignIn","payload":{"code":"123456"}}'`;
  return (
    <Empty>
      <svg viewBox="0 0 48 48" width="56" height="56" aria-hidden="true"><path d="M6 26l7-14h22l7 14v12H6zM6 26h11l2 5h10l2-5h11" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" /></svg>
      <h2>{t("none")}</h2>
      <p>{t("noneText")}</p>
      <div class="command"><pre>{command}</pre><CopyButton text={command} label={t("copy")} /></div>
      <p class="small">{t("curlToken")}</p>
    </Empty>
  );
}

function MailList(props: { mails: SandboxMail[]; shown?: string }) {
  return (
    <nav class="mails" aria-label={t("list")}>
      <ul>
        {props.mails.map((m) => (
          <li key={m.id}>
            <a href={href("inbox", m.id)} aria-current={m.id === props.shown ? "true" : undefined}>
              <span class="mail-to"><span>{m.to}</span><Time iso={m.receivedAt} /></span>
              <strong>{m.subject || t("noSubject")}</strong>
              {m.code && <code>{m.code}</code>}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

type View = "html" | "text";
type Colours = "light" | "dark";

function MailView(props: { mail: SandboxMail }) {
  const { mail } = props;
  const [view, setView] = useState<View>(mail.html ? "html" : "text");
  const [colours, setColours] = useState<Colours>(pageColours);
  return (
    <article class="card mail" aria-label={mail.subject || t("noSubject")}>
      <p class="back"><a href={href("inbox")}>{t("back")}</a></p>
      <header class="mail-top">
        <div class="mail-title">
          <h2>{mail.subject || t("noSubject")}</h2>
          <dl class="mail-head">
            <dt>{t("from")}</dt><dd>{mail.fromAlias ? `${mail.fromAlias} <${mail.from}>` : mail.from}</dd>
            <dt>{t("to")}</dt><dd>{mail.to}</dd>
            {mail.replyAddress && <><dt>{t("replyTo")}</dt><dd>{mail.replyAddress}</dd></>}
            {mail.tagName && <><dt>{t("tag")}</dt><dd>{mail.tagName}</dd></>}
            <dt>{t("time")}</dt><dd>{formatTime(mail.receivedAt)}</dd>
          </dl>
        </div>
        {mail.code && <Code code={mail.code} />}
      </header>
      <div class="row mail-tools">
        <Tabs<View> label={t("view")} tabs={[["html", t("html")], ["text", t("text")]]} chosen={view} choose={setView} />
        <Tabs<Colours> label={t("colours")} tabs={[["light", t("light")], ["dark", t("dark")]]} chosen={colours} choose={setColours} />
      </div>
      <Body mail={mail} view={view} colours={colours} />
    </article>
  );
}

/** The page's current colour scheme. */
function pageColours(): Colours {
  const scheme = getComputedStyle(document.documentElement).colorScheme;
  if (scheme === "light" || scheme === "dark") return scheme;
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function Body(props: { mail: SandboxMail; view: View; colours: Colours }) {
  const { mail, colours } = props;
  if (props.view === "html" && mail.html) return <HTML html={mail.html} colours={colours} />;
  if (props.view === "html") return <p class="muted">{t("noHTML")}</p>;
  if (!mail.text) return <p class="muted">{t("noText")}</p>;
  return <pre class="mail-text" style={{ colorScheme: colours }}>{mail.text}</pre>;
}

function HTML(props: { html: string; colours: Colours }) {
  return (
    <>
      <MailFrame html={props.html} width={window.innerWidth <= 760 ? 360 : 640} colours={props.colours} label={t("frame")} />
      {hasRemoteImages(props.html) && <p class="hint images">{t("images")}</p>}
    </>
  );
}

function Code(props: { code: string }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    await copyText(props.code);
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setCopied(false), 2000);
  };
  return (
    <button type="button" class="code" onClick={copy}>
      <span class="muted small">{t("code")}</span>
      <span class="digits">{props.code}</span>
      <span class="small">{t(copied ? "copied" : "click")}</span>
      <span class="visually-hidden" role="status">{copied && t("copied")}</span>
    </button>
  );
}
