// The editor of one text of a template: completes variables, shows sample values on
// hover, and marks problems in place.
import { type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, type Extension, type Text, type Transaction } from "@codemirror/state";
import { EditorView, hoverTooltip } from "@codemirror/view";
import { useEffect, useId, useMemo, useRef } from "preact/hooks";
import type { Fault } from "../api";
import { Editor } from "../editor";
import { texts } from "../i18n";
import { html } from "./template-html";
import { translated } from "./sentences";
import { documented, flatten, look, type Payload, placeholders, shown } from "./variables";

const t = texts({
  en: {
    maybe: "not always sent", unsent: "This flow does not send {name}: the mail would show {written}.", partly: "This flow sends {sent} without this part, so it stays empty.",
    empty: "empty", value: "Sample value", line: "Line {line}",
  },
  zh: {
    maybe: "不一定发送", unsent: "该流程不发送 {name}：邮件会原样显示 {written}。", partly: "该流程发送的 {sent} 没有这一部分：此处为空。",
    empty: "空", value: "示例值", line: "第 {line} 行",
  },
  ja: {
    maybe: "送られない場合あり", unsent: "このフローは {name} を送りません。メールには {written} がそのまま表示されます。", partly: "このフローが送る {sent} にこの項目はないため、空になります。",
    empty: "空", value: "サンプル値", line: "{line} 行目",
  },
});

export interface Sample {
  usageType: string;
  payload: Payload;
}

function completions(sample: () => Sample) {
  return (context: CompletionContext): CompletionResult | null => {
    const before = context.matchBefore(/\{\{\s*[#^/]?\s*[\w.]*$/);
    if (!before) return null;
    const name = /[\w.]*$/.exec(before.text)![0];
    const { payload, usageType } = sample();
    const sent = flatten(payload);
    const optional = documented(usageType).filter((d) => !sent.some(([path]) => path === d));
    const apply = (variable: string) => (view: EditorView, _: unknown, from: number, to: number) => {
      const after = view.state.sliceDoc(to, to + 2);
      const closing = after === "}}" ? "" : after.startsWith("}") ? "}" : "}}";
      const end = from + variable.length + 2;
      view.dispatch({ changes: { from, to, insert: variable + closing }, selection: { anchor: end }, userEvent: "input.complete" });
    };
    return {
      from: context.pos - name.length,
      validFor: /^[\w.]*$/,
      options: [
        ...sent.map(([path, value]) => ({ label: path, detail: brief(shown(value)) || t("empty"), type: "variable", boost: 2, apply: apply(path) })),
        ...optional.map((path) => ({ label: path, detail: t("maybe"), type: "property", boost: -2, apply: apply(path) })),
      ],
    };
  };
}

function brief(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function hover(sample: () => Sample): Extension {
  return hoverTooltip((view, pos) => {
    const found = placeholders(view.state.doc.toString()).find((p) => p.from <= pos && pos <= p.to);
    if (!found) return null;
    return {
      pos: found.from, end: found.to, above: true,
      create: () => {
        const dom = document.createElement("div");
        dom.textContent = told(sample().payload, found.name);
        return { dom };
      },
    };
  });
}

function told(payload: Payload, name: string): string {
  const found = look(payload, name);
  if (found.state === "sent") return `${name} · ${t("value")}: ${shown(found.value) || t("empty")}`;
  return missingText(payload, name);
}

function missingText(payload: Payload, name: string): string {
  const found = look(payload, name);
  return found.state === "partly" ? t("partly", { sent: found.sent }) : t("unsent", { name, written: `{{${name}}}` });
}

/** Removes line breaks from pasted text and ignores Enter. */
const oneLine = EditorState.transactionFilter.of((tr: Transaction) => {
  if (!tr.docChanged || tr.newDoc.lines === 1 || !tr.isUserEvent("input")) return tr;
  if (!tr.isUserEvent("input.paste")) return [];
  const text = tr.newDoc.toString().replace(/\s*\n\s*/g, " ");
  return [{ changes: { from: 0, to: tr.startState.doc.length, insert: text }, selection: { anchor: text.length }, userEvent: "input.paste" }];
});

const slim = EditorView.theme({
  ".cm-gutters": { display: "none" },
  ".cm-activeLine": { backgroundColor: "transparent !important" },
  ".cm-content": { fontFamily: "inherit", padding: ".42rem 0" },
  ".cm-line": { padding: "0 .6rem" },
});

/** The range of a problem: its excerpt, its line, or null. */
function place(doc: Text, problem: Fault): { from: number; to: number } | null {
  const quoted = /^says "(.+?)",/.exec(problem.detail)?.[1];
  const marked = quoted ?? /\{\{[^}]*\}\}|<<code>>|^<\S+/.exec(problem.detail)?.[0] ?? "";
  if (problem.line && problem.line <= doc.lines) {
    const line = doc.line(problem.line);
    const at = marked ? line.text.indexOf(marked) : -1;
    return at < 0 ? { from: line.from, to: line.to } : { from: line.from + at, to: line.from + at + marked.length };
  }
  const at = marked ? doc.toString().indexOf(marked) : -1;
  return at < 0 ? null : { from: at, to: at + marked.length };
}

function diagnose(doc: Text, errors: Fault[], warnings: Fault[], payload: Payload): Diagnostic[] {
  const told = (problems: Fault[], severity: "error" | "warning") =>
    problems.flatMap((p) => {
      const at = place(doc, p);
      return at ? [{ ...at, severity, message: translated(p.detail) }] : [];
    });
  const known = [...told(errors, "error"), ...told(warnings, "warning")];
  const missing = placeholders(doc.toString())
    .filter((p) => !known.some((d) => d.from === p.from))
    .filter((p) => p.kind === "" && !p.guarded && look(payload, p.name).state !== "sent")
    .map((p): Diagnostic => ({ from: p.from, to: p.to, severity: "info", message: missingText(payload, p.name) }));
  return [...known, ...missing].sort((a, b) => a.from - b.from);
}

interface Props {
  label: string;
  hint?: string;
  value: string;
  change: (value: string) => void;
  sample: Sample;
  errors: Fault[];
  warnings: Fault[];
  readOnly: boolean;
  kind: "line" | "text" | "html";
  height?: string;
}

export function TemplateField(props: Props) {
  const id = useId();
  const view = useRef<EditorView>(undefined);
  const sample = useRef(props.sample);
  sample.current = props.sample;
  // Completion would close if the extensions changed during typing.
  const extensions = useMemo(() => {
    const current = () => sample.current;
    // Completion compares its sources by identity.
    const offered = [{ autocomplete: completions(current) }];
    return [
      props.kind === "html" ? html() : [],
      props.kind === "line" ? [oneLine, slim] : lintGutter(),
      EditorState.languageData.of(() => offered),
      EditorView.contentAttributes.of({ "aria-describedby": id, tabindex: "0" }),
      hover(current),
    ];
  }, [props.kind, id]);
  useEffect(() => {
    const waiting = setTimeout(() => {
      const state = view.current!.state;
      view.current!.dispatch(setDiagnostics(state, diagnose(state.doc, props.errors, props.warnings, props.sample.payload)));
    }, 150);
    return () => clearTimeout(waiting);
  }, [props.value, props.errors, props.warnings, props.sample.payload, extensions]);

  return (
    <div class="field">
      <span class="label" aria-hidden="true">{props.label}</span>
      <Editor label={props.label} value={props.value} change={props.change} readOnly={props.readOnly}
        height={props.kind === "line" ? "auto" : props.height} extensions={extensions} ready={(v) => { view.current = v; }} />
      <div id={id} aria-live="polite">
        {props.hint && <div class="hint">{props.hint}</div>}
        {props.errors.map((p) => <div class="error" key={`${p.line} ${p.detail}`}>{props.kind !== "line" && <Line problem={p} />}{translated(p.detail)}</div>)}
        {props.warnings.map((p) => <div class="warning" key={`${p.line} ${p.detail}`}>{props.kind !== "line" && <Line problem={p} />}{translated(p.detail)}</div>)}
      </div>
    </div>
  );
}

function Line(props: { problem: Fault }) {
  return props.problem.line ? <strong>{t("line", { line: props.problem.line })} · </strong> : null;
}
