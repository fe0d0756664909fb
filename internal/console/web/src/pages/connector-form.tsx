// A connector as a form. Keys unknown to the form stay unchanged.
import { useRef, useState } from "preact/hooks";
import { factory, get, usageTypeValues, type Config, type Faults, type FormItem, type Template } from "../api";
import { texts } from "../i18n";
import { href } from "../route";
import { explain, Field, Notice } from "../ui";
import { help, label, regionName } from "./config-words";
import { ChoiceField, FormContext, isAt, noted, TextField, useForm } from "./connector-field";
import { isSecret, mask, objectAt, sameMeaning, textAt, withValue } from "./draft";
import { configPath, schema } from "./json-assist";
import { usageTypeName } from "./template-names";

const t = texts({
  en: {
    access: "Access to Aliyun", sender: "Sender", templates: "Templates", limits: "Rate limits and code lifetime", advanced: "More settings", stored: "stored, unchanged",
    keeps: "A secret is stored. Leave this empty to keep it.", anew: "The access key ID or the endpoint has changed: enter the secret again.", replaced: "The stored secret will be replaced.",
    otherRegion: "Another region…", otherHint: "A region that is not listed also needs its endpoint.", regionId: "Region ID",
    builtin: "Built-in templates", builtinHelp: "In English, Chinese (Simplified and Traditional) and Japanese, for every usage type.", own: "Your own templates",
    ownHelp: "Edit them under “Templates” ({n}).", ownNone: "Starts with a copy of the built-in templates.", inside: "Problems and warnings in templates: {n}. See “Templates”.", edit: "Edit templates", look: "View templates",
    direct: "direct", queued: "queued", queuedNeeds: "Queueing needs durable storage. This service keeps its state in memory.", resend: "send it again (default)", hold: "hold it",
    keep: "leave it as written, like Logto (default)", refuse: "reject the request", empty: "leave it out", others: "Only in the JSON: {keys}", broken: "The JSON has a syntax error. Fix it to use the form.",
  },
  zh: {
    access: "访问阿里云", sender: "发信人", templates: "模板", limits: "频率限制与验证码有效期", advanced: "更多设置", stored: "已存储，保持不变",
    keeps: "密钥已存储，留空则保持不变。", anew: "AccessKey ID 或接入点已更改：请重新输入密钥。", replaced: "将替换已存的密钥。",
    otherRegion: "其他地域…", otherHint: "未列出的地域还需填写接入点。", regionId: "地域 ID",
    builtin: "内置模板", builtinHelp: "英语、中文（简体和繁体）、日语，涵盖所有用途。", own: "自定义模板",
    ownHelp: "共 {n} 个，在“模板”页编辑。", ownNone: "从内置模板的副本开始。", inside: "模板中有 {n} 个问题和警告，请见“模板”页。", edit: "编辑模板", look: "查看模板",
    direct: "直接", queued: "排队", queuedNeeds: "排队需要持久存储，而本服务的状态只保存在内存中。", resend: "重新发送（默认）", hold: "暂不发送",
    keep: "原样保留，与 Logto 相同（默认）", refuse: "拒绝请求", empty: "留空", others: "仅在 JSON 中的键：{keys}", broken: "JSON 有语法错误，修正后才能使用表单。",
  },
  ja: {
    access: "Aliyun へのアクセス", sender: "差出人", templates: "テンプレート", limits: "送信数の制限とコードの有効期間", advanced: "その他の設定", stored: "保存済み（変更なし）",
    keeps: "シークレットは保存済みです。空欄のままなら変わりません。", anew: "AccessKey ID またはエンドポイントが変わりました。シークレットを再入力してください。", replaced: "保存済みのシークレットを置き換えます。",
    otherRegion: "その他のリージョン…", otherHint: "一覧にないリージョンではエンドポイントも指定します。", regionId: "リージョン ID",
    builtin: "組み込みテンプレート", builtinHelp: "英語、中国語（簡体字・繁体字）、日本語。すべての用途に対応しています。", own: "独自のテンプレート",
    ownHelp: "「テンプレート」で編集します（{n} 件）。", ownNone: "組み込みテンプレートのコピーから始めます。", inside: "テンプレートに問題や警告が {n} 件あります。「テンプレート」を確認してください。", edit: "テンプレートを編集", look: "テンプレートを見る",
    direct: "直接", queued: "キュー", queuedNeeds: "キューには永続的なストレージが必要です。このサービスの状態はメモリにのみ保存されています。", resend: "もう一度送信する（既定）", hold: "保留する",
    keep: "Logto と同じく書かれたまま残す（既定）", refuse: "リクエストを拒否する", empty: "空にする", others: "JSON にのみあるキー：{keys}", broken: "JSON に構文エラーがあります。修正するとフォームを使えます。",
  },
});

export type Region = NonNullable<FormItem["selectItems"]>[number];

interface Props {
  config: Config;
  /** As stored, with secrets masked; undefined for a new connector. */
  stored?: Config;
  change: (config: Config) => void;
  report: Faults;
  readOnly: boolean;
  broken: boolean;
  regions: Region[];
  /** The connector's part of the URL. */
  place: string;
  volatile: boolean;
}

export function ConnectorForm(props: Props) {
  const { config, change, report } = props;
  return (
    <FormContext.Provider value={{ config, change, report }}>
      <div aria-live="polite">{props.broken && <Notice kind="warning">{t("broken")}</Notice>}</div>
      <fieldset class="form" disabled={props.readOnly || props.broken} inert={props.broken}>
        <section>
          <h2>{t("access")}</h2>
          <TextField path={["accessKeyId"]} name="accessKeyId" required mono />
          <SecretField name="accessKeySecret" stored={props.stored} required />
          <RegionField regions={props.regions} />
        </section>
        <section>
          <h2>{t("sender")}</h2>
          <TextField path={["accountName"]} name="accountName" required email placeholder="noreply@mail.example.com" />
          <div class="pair">
            <TextField path={["fromAlias"]} name="fromAlias" />
            <TextField path={["replyAddress"]} name="replyAddress" email />
          </div>
        </section>
        <TemplatesChoice place={props.place} readOnly={props.readOnly} />
        <section>
          <h2>{t("limits")}</h2>
          <p class="hint">{help("limits")}</p>
          <div class="triple">
            <TextField path={["limits", "recipient"]} name="recipient" placeholder="10/10m" mono />
            <TextField path={["limits", "ip"]} name="ip" placeholder="off" mono />
            <TextField path={["limits", "connector"]} name="connector" placeholder="100/1s" mono />
          </div>
          <div class="pair">
            <TextField path={["codeLifetime"]} name="codeLifetime" placeholder="10m" mono />
            <TextField path={["defaultLanguage"]} name="defaultLanguage" list={["en", "zh-CN", "zh-TW", "ja"]} mono />
          </div>
        </section>
        <Advanced stored={props.stored} regions={props.regions} volatile={props.volatile} />
      </fieldset>
    </FormContext.Provider>
  );
}

/** Shows a masked secret as an empty field. */
function SecretField(props: { name: "accessKeySecret" | "securityToken"; stored?: Config; required?: boolean }) {
  const { config, change, report } = useForm();
  const { name, stored } = props;
  const kept = stored?.[name] === mask;
  const masked = config[name] === mask;
  const moved = kept && !(["accessKeyId", "endpoint"] as const).every((key) => sameMeaning(stored[key] ?? "", config[key] ?? ""));
  const { error, warning } = noted(report, [name]);
  const anew = masked && moved ? t("anew") : undefined;
  const note = masked ? (moved ? undefined : t("keeps")) : kept ? t("replaced") : help(name);
  return (
    <Field label={label(name)} required={props.required} hint={note} error={error && (anew ?? error)} warning={anew ?? warning}>
      {(ids) => (
        <input {...ids} class="mono" type="password" autocomplete="new-password" data-pointer={`/${name}`} aria-required={props.required}
          value={masked ? "" : textAt(config, name)} placeholder={masked && !moved ? t("stored") : undefined}
          onInput={(e) => change(withValue(config, [name], e.currentTarget.value || (kept ? mask : "")))} />
      )}
    </Field>
  );
}

function isListed(regions: Region[], id: string): boolean {
  return id === "" || regions.some(({ value }) => value === id);
}

function RegionField(props: { regions: Region[] }) {
  const { config, change, report } = useForm();
  const [chosen, setChosen] = useState(false);
  const id = textAt(config, "regionId");
  const other = chosen || !isListed(props.regions, id);
  const choose = (value: string) => {
    setChosen(value === "other");
    if (value !== "other") change(withValue(other ? withValue(config, ["endpoint"], "") : config, ["regionId"], value));
    else change(withValue(config, ["regionId"], ""));
  };
  return (
    <>
      <Field label={label("regionId")} hint={other ? t("otherHint") : help("regionId")} {...(other ? {} : noted(report, ["regionId"]))}>
        {(ids) => (
          <select {...ids} data-pointer={other ? undefined : "/regionId"} value={other ? "other" : id || "cn-hangzhou"} onChange={(e) => choose(e.currentTarget.value)}>
            {props.regions.map(({ value, title }) => <option key={value} value={value}>{regionName(value, title)} · {value}</option>)}
            <option value="other">{t("otherRegion")}</option>
          </select>
        )}
      </Field>
      {other && (
        <div class="pair">
          <Field label={t("regionId")} {...noted(report, ["regionId"])}>
            {(ids) => <input {...ids} class="mono" data-pointer="/regionId" value={id} spellcheck={false} onInput={(e) => change(withValue(config, ["regionId"], e.currentTarget.value))} />}
          </Field>
          <TextField path={["endpoint"]} name="endpoint" mono placeholder="dm.cn-hangzhou.aliyuncs.com" />
        </div>
      )}
    </>
  );
}

function TemplatesChoice(props: { place: string; readOnly: boolean }) {
  const { config, change, report } = useForm();
  const [failed, setFailed] = useState<unknown>();
  const own = useRef<Template[]>(undefined);
  const latest = useRef({ config, change });
  latest.current = { config, change };
  if (Array.isArray(config.templates)) own.current = config.templates;
  const builtin = config.templates === "builtin";
  const start = async () => {
    try {
      own.current ??= await get<Template[]>(`api/connector-factories/${factory}/templates`);
      latest.current.change({ ...latest.current.config, templates: own.current });
    } catch (error) {
      setFailed(error);
    }
  };
  const { error, warning } = noted(report, ["templates"]);
  const inside = [...report.errors, ...report.warnings].filter((p) => isAt(p, ["templates"]) && configPath(p)!.length > 1).length;
  const n = Array.isArray(config.templates) ? config.templates.length : 0;
  return (
    <section>
      <h2 id="templates-choice">{t("templates")}</h2>
      <div class="choices" role="radiogroup" aria-labelledby="templates-choice" aria-invalid={error ? true : undefined}>
        <label class="choice">
          <input type="radio" name="templates" data-pointer="/templates" checked={builtin} onChange={() => change({ ...config, templates: "builtin" })} />
          <span><strong>{t("builtin")}</strong><span class="hint">{t("builtinHelp")}</span></span>
        </label>
        <label class="choice">
          <input type="radio" name="templates" checked={Array.isArray(config.templates)} onChange={start} />
          <span><strong>{t("own")}</strong><span class="hint">{n || own.current ? t("ownHelp", { n: n || own.current!.length }) : t("ownNone")}</span></span>
        </label>
      </div>
      {failed !== undefined && <Notice kind="error">{explain(failed)}</Notice>}
      <div class="field">
        {error && <div class="error">{error}</div>}
        {!error && warning && <div class="warning">{warning}</div>}
        {inside > 0 && <div class="warning">{t("inside", { n: inside })}</div>}
      </div>
      <a href={href("connectors", props.place, "templates")}>{builtin || props.readOnly ? t("look") : t("edit")}</a>
    </section>
  );
}

function Advanced(props: { stored?: Config; regions: Region[]; volatile: boolean }) {
  const { config, report } = useForm();
  const others = Object.keys(config).filter((key) => !Object.hasOwn(schema.properties!, key));
  const keys = ["securityToken", "endpoint", "tagName", "delivery", "onUnknown", "onMissing"];
  const asked = keys.some((key) => report.errors.some((p) => isAt(p, [key])));
  return (
    <details class="more" open={asked || undefined}>
      <summary>{t("advanced")}</summary>
      {isListed(props.regions, textAt(config, "regionId")) && <TextField path={["endpoint"]} name="endpoint" mono placeholder="dm-vpc.cn-hangzhou.aliyuncs.com" />}
      <div class="pair">
        <SecretField name="securityToken" stored={props.stored} />
        <TextField path={["tagName"]} name="tagName" mono />
      </div>
      <ChoiceField path={["onMissing"]} name="onMissing" fallback="keep" options={[["keep", t("keep")], ["refuse", t("refuse")], ["empty", t("empty")]]} />
      <ChoiceField path={["onUnknown"]} name="onUnknown" fallback="resend" options={[["resend", t("resend")], ["hold", t("hold")]]} />
      <Delivery volatile={props.volatile} />
      {others.length > 0 && <p class="hint">{t("others", { keys: others.map((key) => (isSecret(key) ? `${key} (***)` : key)).join(", ") })}</p>}
    </details>
  );
}

function Delivery(props: { volatile: boolean }) {
  const { config, change, report } = useForm();
  const delivery = objectAt(config, "delivery");
  const types = [...usageTypeValues, ...Object.keys(delivery).filter((type) => !usageTypeValues.some((u) => u === type))];
  return (
    <fieldset class="delivery">
      <legend>{label("delivery")}</legend>
      <p class="hint">{props.volatile ? t("queuedNeeds") : help("delivery")}</p>
      <div class="grid">
        {types.map((type) => (
          <Field key={type} label={usageTypeName(type)} {...noted(report, ["delivery", type])}>
            {(ids) => (
              <select {...ids} data-pointer={`/delivery/${type}`} value={textAt(delivery, type) || "direct"}
                onChange={(e) => change(withValue(config, ["delivery", type], e.currentTarget.value === "direct" ? undefined : e.currentTarget.value))}>
                <option value="direct">{t("direct")}</option>
                <option value="queued">{t("queued")}</option>
                {!["", "direct", "queued"].includes(textAt(delivery, type)) && <option value={textAt(delivery, type)}>{textAt(delivery, type)}</option>}
              </select>
            )}
          </Field>
        ))}
      </div>
    </fieldset>
  );
}
