// Maps paths to positions in a JSON text and back.
import { ensureSyntaxTree, syntaxTree } from "@codemirror/language";
import type { EditorState } from "@codemirror/state";
import type { SyntaxNode, Tree } from "@lezer/common";
import type { Path } from "./jsonschema";

export interface Span {
  from: number;
  to: number;
}

const valueNames = new Set(["Object", "Array", "String", "Number", "True", "False", "Null"]);

/** The syntax tree, as far as it can be parsed quickly. */
function treeOf(state: EditorState): Tree {
  return ensureSyntaxTree(state, state.doc.length, 100) ?? syntaxTree(state);
}

function nameOf(state: EditorState, property: SyntaxNode): string {
  const name = property.getChild("PropertyName");
  if (!name) return "";
  const text = state.sliceDoc(name.from, name.to);
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.replaceAll('"', "");
  }
}

function valuesIn(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (valueNames.has(child.name)) found.push(child);
  }
  return found;
}

/** Returns the names of an object's properties, each with its position. */
export function propertiesOf(state: EditorState, object: SyntaxNode): { name: string; node: SyntaxNode }[] {
  return object.getChildren("Property").map((node) => ({ name: nameOf(state, node), node }));
}

/**
 * Returns where to mark a path: its value, the key of a multi-line value, or the
 * nearest existing parent.
 */
export function spanOf(state: EditorState, path: string[]): Span {
  let value = valuesIn(treeOf(state).topNode)[0];
  let span = value ? opening(value) : { from: 0, to: 0 };
  for (const part of path) {
    const next = value && step(state, value, part);
    if (!next) return span;
    ({ value, span } = next);
  }
  return span;
}

/** Returns the span and kind of the whole value of a path, or null if there is none. */
export function wholeOf(state: EditorState, path: string[]): (Span & { name: string }) | null {
  let value = valuesIn(treeOf(state).topNode)[0];
  for (const part of path) value = value && step(state, value, part)?.value;
  return value ? { from: value.from, to: value.to, name: value.name } : null;
}

function step(state: EditorState, value: SyntaxNode, part: string): { value?: SyntaxNode; span: Span } | undefined {
  if (value.name === "Array") {
    const item = valuesIn(value)[Number(part)];
    return item && { value: item, span: opening(item) };
  }
  // The last duplicate counts, as in JSON.parse.
  const property = propertiesOf(state, value).findLast(({ name }) => name === part)?.node;
  if (!property) return undefined;
  const child = valuesIn(property)[0];
  const name = property.getChild("PropertyName")!;
  const short = child && child.name !== "Object" && child.name !== "Array";
  return { value: child, span: short ? { from: child.from, to: child.to } : { from: name.from, to: name.to } };
}

function opening(node: SyntaxNode): Span {
  const long = node.name === "Object" || node.name === "Array";
  return { from: node.from, to: long ? node.from + 1 : node.to };
}

export interface Place {
  /** Whether the cursor is in a property's name or a value. */
  kind: "key" | "value";
  /** Of the value, or of the object that has the property. */
  path: Path;
  /** The range that a completion replaces. */
  from: number;
  to: number;
  /** The object, if the place is a key. */
  object?: SyntaxNode;
  /** The property already has a value. */
  hasValue?: boolean;
}

/** Returns what is, or could be, at a position. */
export function placeAt(state: EditorState, position: number): Place | null {
  let node = treeOf(state).resolveInner(position, -1);
  // Commas, colons and brackets belong to their container.
  const word = node.name === "PropertyName" || (valueNames.has(node.name) && node.name !== "Object" && node.name !== "Array");
  const from = word ? node.from : position;
  const to = word ? node.to : position;
  if (node.name === "PropertyName") return keyPlace(state, node.parent!, from, to);
  while (!word && node.parent && !["Object", "Array", "Property"].includes(node.name)) node = node.parent;
  if (word) return { kind: "value", path: pathOf(state, node), from, to };
  switch (node.name) {
    case "Property":
      return { kind: "value", path: pathOf(state, node), from, to };
    case "Array":
      return { kind: "value", path: [...pathOf(state, node), valuesBefore(node, position)], from, to };
    case "Object":
      return node.to <= position && closed(state, node) ? null : insideObject(state, node, position);
    default:
      return null;
  }
}

function closed(state: EditorState, node: SyntaxNode): boolean {
  return state.sliceDoc(node.to - 1, node.to) === "}";
}

/** Inside an object: a value after a colon, otherwise a name. */
function insideObject(state: EditorState, object: SyntaxNode, position: number): Place {
  const before = propertiesOf(state, object).filter(({ node }) => node.from < position).at(-1);
  const between = before ? state.sliceDoc(before.node.from, position) : "";
  if (before && /:\s*$/.test(between) && !valuesIn(before.node).some((v) => v.to <= position)) {
    return { kind: "value", path: pathOf(state, before.node), from: position, to: position };
  }
  return { kind: "key", path: pathOf(state, object), from: position, to: position, object };
}

function keyPlace(state: EditorState, property: SyntaxNode, from: number, to: number): Place {
  const object = property.parent!;
  return { kind: "key", path: pathOf(state, object), from, to, object, hasValue: /^\s*:/.test(state.sliceDoc(to, to + 200)) };
}

function valuesBefore(array: SyntaxNode, position: number): number {
  return valuesIn(array).filter((item) => item.to <= position).length;
}

/** Returns the path of a value, or of a property's value. */
function pathOf(state: EditorState, node: SyntaxNode): Path {
  const path: Path = [];
  for (let at: SyntaxNode | null = node; at; at = at.parent) {
    if (at.name === "Property") path.unshift(nameOf(state, at));
    if (at.parent?.name === "Array") path.unshift(valuesBefore(at.parent, at.from));
  }
  return path;
}

/** Returns the first syntax error, or null. */
export function firstFault(state: EditorState): Span | null {
  let found: Span | null = null;
  treeOf(state).iterate({
    enter(node) {
      if (found) return false;
      if (node.type.isError) found = { from: node.from, to: Math.max(node.to, node.from) };
      return true;
    },
  });
  return found;
}

/** Returns every name that its object has again: only the last one counts. */
export function repeatedNames(state: EditorState): Span[] {
  const found: Span[] = [];
  treeOf(state).iterate({
    enter(ref) {
      if (ref.name !== "Object") return;
      const seen = new Set<string>();
      for (const { name, node } of propertiesOf(state, ref.node).reverse()) {
        const label = node.getChild("PropertyName");
        if (label && seen.has(name)) found.push({ from: label.from, to: label.to });
        seen.add(name);
      }
    },
  });
  return found.sort((a, b) => a.from - b.from);
}
