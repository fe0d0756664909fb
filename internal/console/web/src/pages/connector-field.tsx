// The fields of a connector's form. Each edits one path of the config.
import type { ComponentChildren } from "preact";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Config, Fault, Faults } from "../api";
import { Field } from "../ui";
import { help, label, type Key } from "./config-words";
import { objectAt, textAt, withValue } from "./draft";
import { configPath } from "./json-assist";
import { pointerOf } from "./jsonschema";
import { translated } from "./sentences";

export type FieldPath = [string] | [string, string];

export interface Form {
  config: Config;
  change: (config: Config) => void;
  report: Faults;
}

export const FormContext = createContext<Form>({ config: {}, change: () => undefined, report: { errors: [], warnings: [] } });

export function useForm(): Form {
  return useContext(FormContext);
}

/** The service's problems with exactly the value at a path. */
export function noted(report: Faults, path: string[]): { error?: string; warning?: string } {
  const about = (list: Fault[]) =>
    list.filter((p) => isAt(p, path) && configPath(p)!.length === path.length).map((p) => translated(p.detail)).join(" ") || undefined;
  return { error: about(report.errors), warning: about(report.warnings) };
}

/** Reports whether the problem is at a path or below it. */
export function isAt(problem: Fault, path: string[]): boolean {
  const place = configPath(problem);
  return place !== null && path.every((part, i) => place[i] === part);
}

export function valueAt(config: Config, path: FieldPath): string {
  return path[1] === undefined ? textAt(config, path[0]) : textAt(objectAt(config, path[0]), path[1]);
}

interface Props {
  path: FieldPath;
  name: Key;
  required?: boolean;
  hint?: ComponentChildren;
}

export function TextField(props: Props & { placeholder?: string; mono?: boolean; email?: boolean; list?: string[] }) {
  const { config, change, report } = useForm();
  const { path, name, required, hint, placeholder, mono, email, list } = props;
  const pointer = pointerOf(path);
  return (
    <Field label={label(name)} hint={hint ?? help(name)} required={required} {...noted(report, path)}>
      {(ids) => (
        <>
          <input {...ids} class={mono ? "mono" : ""} type="text" inputMode={email ? "email" : undefined} data-pointer={pointer} value={valueAt(config, path)} placeholder={placeholder}
            autocomplete="off" autocapitalize="off" spellcheck={false} aria-required={required} list={list && `${ids.id}-list`}
            onInput={(e) => change(withValue(config, path, e.currentTarget.value))} />
          {list && <datalist id={`${ids.id}-list`}>{list.map((value) => <option key={value} value={value} />)}</datalist>}
        </>
      )}
    </Field>
  );
}

export function ChoiceField(props: Props & { options: [string, string][]; fallback: string }) {
  const { config, change, report } = useForm();
  const { path, name, hint, options, fallback } = props;
  const value = valueAt(config, path) || fallback;
  // An unknown value is shown, too. The service reports whether it is valid.
  const all = options.some(([v]) => v === value) ? options : [...options, [value, value] as [string, string]];
  return (
    <Field label={label(name)} hint={hint ?? help(name)} {...noted(report, path)}>
      {(ids) => (
        <select {...ids} data-pointer={pointerOf(path)} value={value}
          onChange={(e) => change(withValue(config, path, e.currentTarget.value === fallback ? undefined : e.currentTarget.value))}>
          {all.map(([v, text]) => <option key={v} value={v}>{text}</option>)}
        </select>
      )}
    </Field>
  );
}
