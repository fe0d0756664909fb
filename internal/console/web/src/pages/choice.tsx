// A labelled select.
import { Field } from "../ui";

export type Option = [value: string, name: string];

export function Choice(props: { label: string; value: string; choose: (value: string) => void; options: Option[] }) {
  return (
    <Field label={props.label}>
      {(ids) => (
        <select {...ids} value={props.value} onChange={(e) => props.choose(e.currentTarget.value)}>
          {props.options.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
        </select>
      )}
    </Field>
  );
}
