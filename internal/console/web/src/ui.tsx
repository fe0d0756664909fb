// Components shared by the pages.
import type { ComponentChildren, ComponentProps } from "preact";
import { useCallback, useEffect, useId, useRef, useState } from "preact/hooks";
import { Problem } from "./api";
import { formatAgo, formatTime, texts } from "./i18n";

const t = texts({
  en: { retry: "Try again", loading: "Loading…", copied: "Copied", copy: "Copy", close: "Close", required: "required",
    unreachable: "The service does not answer. Is it running?", precondition_failed: "Someone else changed this in the meantime. Reload the page to see the new version.",
    unavailable: "The service cannot reach its storage right now." },
  zh: { retry: "重试", loading: "正在加载…", copied: "已复制", copy: "复制", close: "关闭", required: "必填",
    unreachable: "服务没有响应，请确认其是否在运行。", precondition_failed: "其他人已修改此内容。请刷新页面查看新版本。",
    unavailable: "服务暂时无法访问存储。" },
  ja: { retry: "再試行", loading: "読み込み中…", copied: "コピーしました", copy: "コピー", close: "閉じる", required: "必須",
    unreachable: "サービスが応答しません。起動しているか確認してください。", precondition_failed: "他の人がこの内容を変更しました。ページを再読み込みして確認してください。",
    unavailable: "サービスは現在ストレージに接続できません。" },
});

/** The error's text, translated where possible. */
export function explain(error: unknown): string {
  if (!(error instanceof Problem)) return String(error);
  switch (error.code) {
    case "unreachable":
    case "precondition_failed":
    case "unavailable":
      return t(error.code);
    default:
      return error.message;
  }
}

export function Mark() {
  return (
    <svg viewBox="0 0 48 48" width="28" height="28" aria-hidden="true">
      <rect width="48" height="48" rx="10" fill="#235" /><path d="M10 16h28v18H10zl14 11 14-11" fill="none" stroke="#fff" stroke-width="3" stroke-linejoin="round" />
    </svg>
  );
}

export function Page(props: { title: string; actions?: ComponentChildren; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${props.title} · dmconnector`;
  }, [props.title]);
  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>{props.title}</h1>
        <div class="actions">{props.actions}</div>
      </header>
      {props.children}
    </>
  );
}

type ButtonProps = ComponentProps<"button"> & { kind?: "primary" | "danger" | "plain"; busy?: boolean };

export function Button({ kind, busy, disabled, type, children, ...rest }: ButtonProps) {
  return (
    <button type={type ?? "button"} class={`button ${kind ?? ""}`} disabled={disabled || busy} aria-busy={busy} {...rest}>
      {children}
    </button>
  );
}

export function ButtonLink(props: { href: string; kind?: "primary" | "plain"; children: ComponentChildren }) {
  return <a class={`button ${props.kind ?? ""}`} href={props.href}>{props.children}</a>;
}

/** A labelled control. The child gets the ids that link it to its hint and error. */
export function Field(props: {
  label: string;
  hint?: ComponentChildren;
  error?: string;
  warning?: string;
  required?: boolean;
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ComponentChildren;
}) {
  const id = useId();
  const notes = [props.hint && `${id}-hint`, (props.error || props.warning) && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>
        {props.label}
        {props.required && <span class="muted"> · {t("required")}</span>}
      </label>
      {props.children({ id, "aria-describedby": notes || undefined, "aria-invalid": props.error ? true : undefined })}
      {props.hint && <div class="hint" id={`${id}-hint`}>{props.hint}</div>}
      {props.error && <div class="error" id={`${id}-error`}>{props.error}</div>}
      {!props.error && props.warning && <div class="warning" id={`${id}-error`}>{props.warning}</div>}
    </div>
  );
}

export function Notice(props: { kind: "error" | "warning" | "good" | "info"; children: ComponentChildren }) {
  return <div class={`notice ${props.kind}`} role={props.kind === "error" ? "alert" : "status"}>{props.children}</div>;
}

/** A small label with a colour for good, bad and in between. */
export function Badge(props: { tone: "good" | "bad" | "warn" | "calm"; children: ComponentChildren; title?: string }) {
  return <span class={`badge ${props.tone}`} title={props.title}>{props.children}</span>;
}

export function Empty(props: { children: ComponentChildren }) {
  return <div class="empty">{props.children}</div>;
}

export function Time(props: { iso: string }) {
  return <time dateTime={props.iso} title={formatTime(props.iso)}>{formatAgo(props.iso)}</time>;
}

/** Copies the text. Without TLS, browsers offer no clipboard API. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  const back = document.activeElement;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  if (back instanceof HTMLElement) back.focus();
}

export function CopyButton(props: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await copyText(props.text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return <Button kind="plain" onClick={copy} aria-live="polite">{copied ? t("copied") : (props.label ?? t("copy"))}</Button>;
}

export function Tabs<K extends string>(props: { label: string; tabs: [K, string][]; chosen: K; choose: (key: K) => void }) {
  return (
    <div class="tabs" role="group" aria-label={props.label}>
      {props.tabs.map(([key, name]) => (
        <button type="button" aria-pressed={key === props.chosen} onClick={() => props.choose(key)}>{name}</button>
      ))}
    </div>
  );
}

/** A modal dialog; Escape closes it, and the focus goes back to where it was. */
export function Dialog(props: { title: string; close: () => void; wide?: boolean; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current!.showModal();
    // The browser does not restore the focus when a dialog is removed.
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} class={props.wide ? "wide" : ""} aria-labelledby={id} onCancel={(e) => { e.preventDefault(); props.close(); }}>
      <header class="page-head">
        <h2 id={id}>{props.title}</h2>
        <Button kind="plain" onClick={props.close} aria-label={t("close")}>✕</Button>
      </header>
      {props.children}
    </dialog>
  );
}

export interface Loaded<T> {
  data?: T;
  error?: unknown;
  loading: boolean;
  reload: () => void;
}

/** Loads when the component appears and when a dependency changes. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, dependencies: unknown[]): Loaded<T> {
  const [state, setState] = useState<{ data?: T; error?: unknown; loading: boolean }>({ loading: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const gone = new AbortController();
    setState((s) => ({ ...s, loading: true }));
    load(gone.signal).then(
      (data) => gone.signal.aborted || setState({ data, loading: false }),
      (error) => gone.signal.aborted || setState((s) => ({ ...s, error, loading: false })),
    );
    return () => gone.abort();
  }, [...dependencies, turn]);
  return { ...state, reload: useCallback(() => setTurn((n) => n + 1), []) };
}

/** Shows the loaded data, that it is loading, or the error. */
export function Show<T>(props: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  const { data, error, reload } = props.of;
  if (error !== undefined) {
    return <Notice kind="error">{explain(error)} <Button kind="plain" onClick={reload}>{t("retry")}</Button></Notice>;
  }
  if (data === undefined) return <p class="muted" role="status">{t("loading")}</p>;
  return <>{props.children(data)}</>;
}
