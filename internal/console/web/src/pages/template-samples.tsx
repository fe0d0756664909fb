// The values of a preview: those of a recorded flow, editable.
import { useEffect, useState } from "preact/hooks";
import type { Template } from "../api";
import { texts } from "../i18n";
import { Button, Field } from "../ui";
import { parseObject } from "./jsonschema";
import { commonLanguages, flowName, languageName, usageTypeName } from "./template-names";
import { flatten, flowById, flowsFor, type Payload, plainFlow, shown, typed, withValue } from "./variables";

const t = texts({
  en: {
    title: "Sample values", flow: "Flow", flowHint: "Recorded from a real Logto.", fitting: "Sent for {type}", others: "Other flows", locale: "Recipient's language",
    asSent: "follow the flow (default)", asSentTag: "follow the flow ({tag})", noLocale: "This flow sends no language. The template for any language is used, or the default language.",
    reset: "Restore recorded values", json: "As JSON", fields: "As fields", notJSON: "Enter a JSON object.", nothing: "no value",
  },
  zh: {
    title: "示例值", flow: "流程", flowHint: "取自真实 Logto 的录制数据。", fitting: "用于{type}", others: "其他流程", locale: "收件人的语言",
    asSent: "跟随流程（默认）", asSentTag: "跟随流程（{tag}）", noLocale: "该流程不发送语言，将使用不限语言的模板或默认语言的模板。",
    reset: "恢复录制值", json: "JSON 形式", fields: "字段形式", notJSON: "请输入 JSON 对象。", nothing: "无值",
  },
  ja: {
    title: "サンプル値", flow: "フロー", flowHint: "実際の Logto から記録した送信内容です。", fitting: "{type}で送られるもの", others: "その他のフロー", locale: "受信者の言語",
    asSent: "フローに従う（既定）", asSentTag: "フローに従う（{tag}）", noLocale: "このフローは言語を送りません。言語を限定しないテンプレートか、既定の言語のものが使われます。",
    reset: "記録した値に戻す", json: "JSON で表示", fields: "項目で表示", notJSON: "JSON オブジェクトを入力してください。", nothing: "値なし",
  },
});

export interface Samples {
  flowId: string;
  values: Payload;
  /** "" follows the flow. */
  locale: string;
}

export function samplesFor(template: Template): Samples {
  const plain = plainFlow(template.usageType);
  return { flowId: plain.id, values: plain.payload, locale: template.languageTag ?? "" };
}

/** The payload of the preview request. */
export function payloadOf(samples: Samples): Payload {
  return samples.locale ? { ...samples.values, locale: samples.locale } : samples.values;
}

export function SamplesPane(props: { template: Template; samples: Samples; change: (samples: Samples) => void; languages: string[] }) {
  const { samples, change } = props;
  const [asJSON, setAsJSON] = useState(false);
  const { fitting, others } = flowsFor(props.template.usageType);
  const flow = flowById(samples.flowId);
  const sent = typeof flow?.payload.locale === "string" ? flow.payload.locale : "";
  const languages = [...new Set([...props.languages.filter(Boolean), ...commonLanguages, ...(samples.locale ? [samples.locale] : [])])];
  const choose = (id: string) => change({ ...samples, flowId: id, values: flowById(id)?.payload ?? {} });
  return (
    <section class="card samples" aria-label={t("title")}>
      <header class="page-head">
        <h3>{t("title")}</h3>
        <div class="row">
          <Button kind="plain" onClick={() => setAsJSON(!asJSON)}>{t(asJSON ? "fields" : "json")}</Button>
          <Button kind="plain" disabled={samples.values === flow?.payload} onClick={() => choose(samples.flowId)}>{t("reset")}</Button>
        </div>
      </header>
      <div class="pair">
        <Field label={t("flow")} hint={t("flowHint")}>
          {(ids) => (
            <select {...ids} value={samples.flowId} onChange={(e) => choose(e.currentTarget.value)}>
              {fitting.length > 0 && <optgroup label={t("fitting", { type: usageTypeName(props.template.usageType) })}>{fitting.map((f) => <option key={f.id} value={f.id}>{flowName(f)}</option>)}</optgroup>}
              <optgroup label={t("others")}>{others.map((f) => <option key={f.id} value={f.id}>{usageTypeName(f.type)}: {flowName(f)}</option>)}</optgroup>
            </select>
          )}
        </Field>
        <Field label={t("locale")} hint={sent ? undefined : t("noLocale")}>
          {(ids) => (
            <select {...ids} value={samples.locale} onChange={(e) => change({ ...samples, locale: e.currentTarget.value })}>
              <option value="">{sent ? t("asSentTag", { tag: sent }) : t("asSent")}</option>
              {languages.map((tag) => <option key={tag} value={tag}>{languageName(tag)} ({tag})</option>)}
            </select>
          )}
        </Field>
      </div>
      {asJSON ? <AsJSON samples={samples} change={change} /> : <AsFields samples={samples} change={change} />}
    </section>
  );
}

interface Values {
  samples: Samples;
  change: (samples: Samples) => void;
}

function AsFields({ samples, change }: Values) {
  const recorded = flowById(samples.flowId)?.payload ?? {};
  const before = new Map(flatten(recorded));
  return (
    <div class="values">
      {flatten(samples.values).filter(([path]) => path !== "locale" || !samples.locale).map(([path, value]) => (
        <label key={path}>
          <code>{path}</code>
          <input value={shown(value)} placeholder={value === null ? t("nothing") : ""}
            onInput={(e) => change({ ...samples, values: withValue(samples.values, path, typed(e.currentTarget.value, before.has(path) ? before.get(path) : value)) })} />
        </label>
      ))}
    </div>
  );
}

function AsJSON({ samples, change }: Values) {
  const [text, setText] = useState(JSON.stringify(samples.values, null, 2));
  const [wrong, setWrong] = useState(false);
  useEffect(() => setText(JSON.stringify(samples.values, null, 2)), [samples.flowId]);
  const input = (next: string) => {
    setText(next);
    const values = parseObject(next);
    setWrong(values === null);
    if (values) change({ ...samples, values });
  };
  return (
    <Field label={t("json")} error={wrong ? t("notJSON") : undefined}>
      {(ids) => <textarea {...ids} class="mono" rows={12} spellcheck={false} value={text} onInput={(e) => input(e.currentTarget.value)} />}
    </Field>
  );
}
