// A text editor as a component, in the page's theme.
import { defaultHighlightStyle, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { basicSetup } from "codemirror";
import { useLayoutEffect, useRef } from "preact/hooks";

const colours = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--raised)" },
  ".cm-content": { caretColor: "var(--ink)", fontFamily: "var(--mono)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--ground)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent) !important" },
  ".cm-tooltip": { backgroundColor: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px" },
  ".cm-tooltip-hover > *": { padding: ".4rem .6rem", maxWidth: "32rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
  ".cm-panels": { backgroundColor: "var(--sheet)", color: "var(--ink)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--ground)", color: "var(--quiet)", border: "none" },
});

const highlight = HighlightStyle.define([
  { tag: [tags.propertyName, tags.attributeName], color: "var(--accent)" },
  { tag: [tags.string, tags.attributeValue], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--warn)" },
  { tag: [tags.tagName, tags.keyword, tags.angleBracket], color: "var(--bad)" },
  { tag: [tags.comment, tags.meta], color: "var(--quiet)" },
]);

/** The page's theme, for editors other than this component. */
export const look: Extension = [colours, syntaxHighlighting(highlight), syntaxHighlighting(defaultHighlightStyle, { fallback: true })];

/** The single change between two texts: cursor, folds and scrolling outside of it stay. */
function difference(from: string, to: string): { from: number; to: number; insert: string } {
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && from[start] === to[start]) start++;
  let end = 0;
  while (end < shorter - start && from[from.length - 1 - end] === to[to.length - 1 - end]) end++;
  return { from: start, to: from.length - end, insert: to.slice(start, to.length - end) };
}

interface Props {
  value: string;
  change: (value: string) => void;
  label: string;
  extensions?: Extension[];
  readOnly?: boolean;
  height?: string;
  /** Called once with the view. */
  ready?: (view: EditorView) => void;
}

/**
 * The value flows both ways: a change from outside replaces the text and keeps the
 * cursor if possible. Tab leaves the editor, Ctrl+Space completes.
 */
export function Editor(props: Props) {
  const parent = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const changing = useRef({ extensions: new Compartment(), readOnly: new Compartment() });

  useLayoutEffect(() => {
    const { extensions, readOnly } = changing.current;
    const state = EditorState.create({
      doc: props.value,
      extensions: [
        basicSetup,
        look,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": props.label }),
        EditorView.theme({ "&": { height: props.height ?? "24rem" }, ".cm-scroller": { overflow: "auto" } }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) latest.current.change(update.state.doc.toString());
        }),
        readOnly.of(EditorState.readOnly.of(props.readOnly ?? false)),
        extensions.of(props.extensions ?? []),
      ],
    });
    view.current = new EditorView({ state, parent: parent.current! });
    props.ready?.(view.current);
    return () => view.current?.destroy();
  }, []);
  // A layout effect: a late one would undo what was typed in the meantime.
  useLayoutEffect(() => {
    const shown = view.current!.state.doc.toString();
    if (shown !== props.value) view.current!.dispatch({ changes: difference(shown, props.value) });
  }, [props.value]);
  useLayoutEffect(() => {
    view.current!.dispatch({ effects: changing.current.extensions.reconfigure(props.extensions ?? []) });
  }, [props.extensions]);
  useLayoutEffect(() => {
    view.current!.dispatch({ effects: changing.current.readOnly.reconfigure(EditorState.readOnly.of(props.readOnly ?? false)) });
  }, [props.readOnly]);
  return <div class="editor" ref={parent} />;
}
