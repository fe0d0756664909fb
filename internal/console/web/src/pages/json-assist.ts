// Completion, help and diagnostics of the connector's JSON editor.
import { autocompletion, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { json } from "@codemirror/lang-json";
import { foldEffect } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import type { EditorState, Extension } from "@codemirror/state";
import { hoverTooltip, type EditorView, type Tooltip } from "@codemirror/view";
import source from "virtual:schema";
import type { Fault, Faults } from "../api";
import { texts } from "../i18n";
import { helpAt, schemaText } from "./config-words";
import { firstFault, placeAt, propertiesOf, repeatedNames, spanOf, wholeOf, type Place } from "./json-place";
import { pointerPath, schemasAt, valuesOf, type Path, type Schema } from "./jsonschema";
import { translated } from "./sentences";

const t = texts({
  en: { syntax: "JSON syntax error.", repeated: "Duplicate key: only the last one counts.", standard: "Default", values: "Values", unknown: "Unknown key." },
  zh: { syntax: "JSON 语法错误。", repeated: "键重复：只有最后一个起作用。", standard: "默认值", values: "可用值", unknown: "未知的键。" },
  ja: { syntax: "JSON の構文エラーです。", repeated: "キーが重複しています。有効なのは最後のものだけです。", standard: "既定値", values: "値", unknown: "不明なキーです。" },
});

export const schema: Schema = source;

function descriptionAt(path: Path, schemas: Schema[]): string | undefined {
  const description = schemas.find((s) => s.description)?.description;
  return helpAt(path) ?? (description && schemaText(description));
}

function complete(context: CompletionContext): CompletionResult | null {
  const found = placeAt(context.state, context.pos);
  const place = found && withWord(found, context);
  if (!place) return null;
  if (!context.explicit && place.from === place.to) return null;
  const options = place.kind === "key" ? keyOptions(context.state, place) : valueOptions(place);
  const fitting = ranked(options, context.state.sliceDoc(place.from, context.pos));
  // The editor's own filter would compare the quotes as well.
  return fitting.length ? { from: place.from, to: place.to, options: fitting, filter: false } : null;
}

/** Replaces a key that was started without its quote as a whole. */
function withWord(place: Place, context: CompletionContext): Place {
  const word = place.from === place.to ? context.matchBefore(/[\w$]+/) : null;
  return word ? { ...place, from: word.from } : place;
}

/** Options that start with the typed text come before those that contain it. */
function ranked(options: Completion[], typed: string): Completion[] {
  const wanted = typed.replaceAll('"', "").toLowerCase();
  const position = (o: Completion) => o.label.replaceAll('"', "").toLowerCase().indexOf(wanted);
  // At a complete value, all alternatives are of interest.
  if (options.some((o) => o.label === typed || o.label === typed + '"')) return options;
  return options.filter((o) => position(o) >= 0).sort((a, b) => Number(position(a) > 0) - Number(position(b) > 0));
}

function keyOptions(state: EditorState, place: Place): Completion[] {
  const taken = new Set(propertiesOf(state, place.object!).filter(({ node }) => node.from !== place.from).map(({ name }) => name));
  const properties = schemasAt(schema, place.path).flatMap((s) => Object.keys(s.properties ?? {}));
  return properties.filter((name) => !taken.has(name)).map((name) => ({
    label: JSON.stringify(name), displayLabel: name, type: "property",
    info: () => paragraph(descriptionAt([...place.path, name], schemasAt(schema, [...place.path, name]))),
    apply: (view: EditorView, _: Completion, from: number, to: number) => putKey(view, name, place, from, to),
  }));
}

/** Inserts the key and the start of its value, and puts the cursor there. */
function putKey(view: EditorView, name: string, place: Place, from: number, to: number): void {
  const key = JSON.stringify(name);
  const [before, after] = place.hasValue ? ["", ""] : skeleton(schemasAt(schema, [...place.path, name]));
  const follows = /^\s*"/.test(view.state.sliceDoc(to, to + 200)) ? "," : "";
  const start = place.hasValue ? key : `${key}: ${before}`;
  view.dispatch({
    changes: { from, to, insert: start + (place.hasValue ? "" : after + follows) },
    selection: { anchor: from + start.length }, userEvent: "input.complete",
  });
}

function skeleton(schemas: Schema[]): [string, string] {
  if (schemas.some((s) => s.type === "string" || s.enum || s.const)) return ['"', '"'];
  if (schemas.some((s) => s.type === "object")) return ["{", "}"];
  if (schemas.some((s) => s.type === "array")) return ["[", "]"];
  return ["", ""];
}

function valueOptions(place: Place): Completion[] {
  return valuesOf(schemasAt(schema, place.path)).map((value) => ({ label: JSON.stringify(value), type: "constant" }));
}

function paragraph(text: string | undefined): Node | null {
  if (!text) return null;
  const p = document.createElement("p");
  p.textContent = text;
  return p;
}

function hover(view: EditorView, position: number): Tooltip | null {
  const place = placeAt(view.state, position);
  if (!place || place.from === place.to) return null;
  const path = place.kind === "key" ? [...place.path, keyText(view.state, place)] : place.path;
  if (path.length === 0) return null;
  return { pos: place.from, end: place.to, create: () => ({ dom: helpBox(path) }) };
}

function keyText(state: EditorState, place: Place): string {
  return state.sliceDoc(place.from, place.to).replaceAll('"', "");
}

function helpBox(path: Path): HTMLElement {
  const box = document.createElement("div");
  box.className = "json-help";
  const schemas = schemasAt(schema, path);
  const title = document.createElement("strong");
  title.textContent = path.join(" › ");
  const lines = schemas.length ? [descriptionAt(path, schemas), ...facts(schemas)] : [t("unknown")];
  box.append(title, ...lines.map(paragraph).filter((p) => p !== null));
  return box;
}

function facts(schemas: Schema[]): string[] {
  const standard = schemas.find((s) => s.default !== undefined)?.default;
  const values = valuesOf(schemas).map((v) => JSON.stringify(v));
  return [
    ...(standard === undefined ? [] : [`${t("standard")}: ${JSON.stringify(standard)}`]),
    ...(values.length > 1 ? [`${t("values")}: ${values.join(", ")}`] : []),
  ];
}

export const assistance: Extension = [
  json(), lintGutter(), autocompletion({ override: [complete], activateOnTyping: true, icons: false }), hoverTooltip(hover, { hoverTime: 250 }),
];

/** The pointer's path within the config, or null if it points elsewhere. */
export function configPath(problem: Fault): string[] | null {
  const [first, ...rest] = pointerPath(problem.pointer);
  return first === "config" ? rest : null;
}

/** Marks syntax errors and the service's problems in the text. */
export function showProblems(view: EditorView, report: Faults): void {
  const { state } = view;
  const list: Diagnostic[] = repeatedNames(state).map((span) => ({ ...span, severity: "warning", message: t("repeated") }));
  const fault = firstFault(state);
  if (fault) list.push({ ...fault, severity: "error", message: t("syntax") });
  for (const [problems, severity] of [[report.errors, "error"], [report.warnings, "warning"]] as const) {
    for (const problem of problems) {
      const path = configPath(problem);
      if (path) list.push({ ...spanOf(state, path), severity, message: translated(problem.detail) });
    }
  }
  list.sort((a, b) => a.from - b.from || a.to - b.to);
  view.dispatch(setDiagnostics(state, list));
}

/** Folds the templates, which are long and have a page of their own. */
export function foldTemplates(view: EditorView): void {
  const span = wholeOf(view.state, ["templates"]);
  if (span?.name === "Array" && span.to - span.from > 2) view.dispatch({ effects: foldEffect.of({ from: span.from + 1, to: span.to - 1 }) });
}

/** Selects the value of a path and scrolls to it. */
export function goTo(view: EditorView, path: string[]): void {
  const { from, to } = spanOf(view.state, path);
  view.dispatch({ selection: { anchor: from, head: to }, scrollIntoView: true });
  view.focus();
}
