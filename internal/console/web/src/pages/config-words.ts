// Names and descriptions of the config's keys, for the form and the JSON editor.
import { language, languageTag, texts } from "../i18n";
import type { Path } from "./jsonschema";
import words from "./schema-words.json";

const keys = [
  "accessKeyId", "accessKeySecret", "securityToken", "accountName", "fromAlias", "regionId", "endpoint", "replyAddress", "tagName", "codeLifetime", "defaultLanguage", "delivery",
  "onUnknown", "onMissing", "templates", "limits", "recipient", "ip", "connector",
] as const;

export type Key = (typeof keys)[number];

export const label = texts<Key>({
  en: {
    accessKeyId: "Access key ID", accessKeySecret: "Access key secret", securityToken: "Security token (STS)", accountName: "Sender address", fromAlias: "Sender name",
    regionId: "Region", endpoint: "Endpoint", replyAddress: "Reply address", tagName: "Tag", recipient: "For one recipient", ip: "For one client IP", connector: "For this connector",
    codeLifetime: "Code lifetime", defaultLanguage: "Default language", delivery: "Sending", onUnknown: "After a crash", onMissing: "Missing variables", templates: "Templates", limits: "Limits",
  },
  zh: {
    accessKeyId: "AccessKey ID", accessKeySecret: "AccessKey Secret", securityToken: "安全令牌（STS）", accountName: "发信地址", fromAlias: "发信人名称",
    regionId: "地域", endpoint: "接入点", replyAddress: "回信地址", tagName: "标签", recipient: "每个收件人", ip: "每个客户端 IP", connector: "整个连接器",
    codeLifetime: "验证码有效期", defaultLanguage: "默认语言", delivery: "发送方式", onUnknown: "崩溃后", onMissing: "缺少变量时", templates: "模板", limits: "频率限制",
  },
  ja: {
    accessKeyId: "AccessKey ID", accessKeySecret: "AccessKey Secret", securityToken: "セキュリティトークン（STS）", accountName: "送信元アドレス", fromAlias: "差出人名",
    regionId: "リージョン", endpoint: "エンドポイント", replyAddress: "返信先アドレス", tagName: "タグ", recipient: "受信者ごと", ip: "クライアント IP ごと", connector: "コネクター全体",
    codeLifetime: "コードの有効期間", defaultLanguage: "既定の言語", delivery: "送信方法", onUnknown: "クラッシュ後", onMissing: "変数がない場合", templates: "テンプレート", limits: "送信数の制限",
  },
});

export const help = texts<Key>({
  en: {
    accessKeyId: "Use a RAM user that may call dm:SingleSendMail and nothing else.", accessKeySecret: "The secret of this access key.",
    securityToken: "Only for temporary keys.", accountName: "A sender address created in the Direct Mail console.", fromAlias: "The name recipients see, at most 15 characters.",
    regionId: "The region in which the sender address was created.", endpoint: "Replaces the region's default host, for example dm-vpc.cn-hangzhou.aliyuncs.com.",
    replyAddress: "Where replies go. It must be verified in the Direct Mail console.", tagName: "For statistics in the Direct Mail console.",
    recipient: "A rate such as 10/10m, or off. Default: 10/10m.", ip: "Default: off.", connector: "Default: 100/1s, Aliyun's own limit.",
    codeLifetime: "From 1m to 24h, the same as in Logto. An expired code is not sent. Default: 10m.", defaultLanguage: "Used when no template matches the recipient's languages. Default: the first template's language.",
    delivery: "Direct: the caller gets an answer once Aliyun has accepted the mail. Queued: as soon as the mail is stored.", onUnknown: "What to do with a queued mail if the service crashed while sending it.",
    onMissing: "What to do when a request lacks a variable.", templates: "Your own templates, or the built-in ones.", limits: "How many mails may be sent. 10/10m means ten at once, refilled evenly over ten minutes.",
  },
  zh: {
    accessKeyId: "所属 RAM 用户只需 dm:SingleSendMail 权限。", accessKeySecret: "与 AccessKey ID 对应的密钥。",
    securityToken: "仅用于临时密钥。", accountName: "与邮件推送控制台中创建的一致。", fromAlias: "收件人看到的名称，最多 15 个字符。",
    regionId: "创建发信地址时，邮件推送控制台所在的地域。", endpoint: "代替地域的默认接入点，例如 dm-vpc.cn-hangzhou.aliyuncs.com。",
    replyAddress: "接收回信的地址，须在邮件推送控制台中验证。", tagName: "用于邮件推送控制台的统计。",
    recipient: "频率，例如 10/10m，或 off。默认 10/10m。", ip: "默认 off。", connector: "默认 100/1s，即阿里云自身的上限。",
    codeLifetime: "1m 至 24h，须与 Logto 中的设置一致。过期的验证码不再发送。默认 10m。", defaultLanguage: "没有合适语言的模板时使用。默认为第一个模板的语言。",
    delivery: "直接：阿里云接受邮件后才应答。排队：邮件写入存储后立即应答。", onUnknown: "服务崩溃时，如何处理正在发送的排队邮件。",
    onMissing: "请求缺少变量时如何处理。", templates: "自定义模板或内置模板。", limits: "允许发送的数量：10/10m 表示可一次发十封，额度在十分钟内均匀恢复。",
  },
  ja: {
    accessKeyId: "dm:SingleSendMail だけを許可した RAM ユーザーのキー。", accessKeySecret: "AccessKey ID に対応するシークレット。",
    securityToken: "一時キーの場合のみ。", accountName: "Direct Mail コンソールで作成した送信元アドレス。", fromAlias: "受信者に表示される名前。15 文字まで。",
    regionId: "送信元アドレスを作成した Direct Mail コンソールのリージョン。", endpoint: "リージョン標準の代わりに使うホスト。例：dm-vpc.cn-hangzhou.aliyuncs.com",
    replyAddress: "返信の宛先。Direct Mail コンソールで検証が必要です。", tagName: "Direct Mail コンソールの統計用。",
    recipient: "10/10m のような頻度、または off。既定は 10/10m。", ip: "既定は off。", connector: "既定は 100/1s（Aliyun 側の上限）。",
    codeLifetime: "1m から 24h まで。Logto の設定と同じ値にします。期限切れのコードは送信しません。既定は 10m。", defaultLanguage: "合う言語のテンプレートがない場合に使います。既定は最初のテンプレートの言語。",
    delivery: "直接：Aliyun が受け付けてから応答します。キュー：保存が済むとすぐに応答します。", onUnknown: "サービスのクラッシュ時に送信中だったキューのメールの扱い。",
    onMissing: "リクエストに変数がない場合の扱い。", templates: "独自のテンプレート、または組み込みテンプレート。", limits: "送信できる数。10/10m は一度に 10 通までで、10 分かけて均等に回復します。",
  },
});

const schemaWords: Record<string, Record<string, string>> = words;

/** Translates a sentence of the schema, if there is a translation. */
export function schemaText(sentence: string): string {
  return schemaWords[sentence]?.[languageTag()] ?? sentence;
}

function isKey(name: string): name is Key {
  return keys.some((key) => key === name);
}

/** Returns the description of the key at a path, if the console has one. */
export function helpAt(path: Path): string | undefined {
  const name = String(path.at(-1));
  const known = path.length === 1 || (path.length === 2 && path[0] === "limits");
  return known && isKey(name) ? help(name) : undefined;
}

/** Returns a name for a path of the config: "Sender name", or "templates › 2 › subject". */
export function nameAt(path: string[]): string {
  const [first = "", second = ""] = path;
  if (path.length === 1 && first === "id") return "ID";
  if (path.length === 1 && isKey(first)) return label(first);
  if (path.length === 2 && first === "limits" && isKey(second)) return `${label("limits")} › ${label(second)}`;
  if (path.length > 1 && isKey(first)) return [label(first), ...path.slice(1).map((p) => (/^\d+$/.test(p) ? String(Number(p) + 1) : p))].join(" › ");
  return path.join(" › ");
}

const regionNames: Record<string, [string, string, string]> = {
  "cn-hangzhou": ["China (Hangzhou)", "华东 1（杭州）", "中国（杭州）"],
  "ap-southeast-1": ["Singapore", "新加坡", "シンガポール"],
  "ap-southeast-2": ["United States (formerly Sydney)", "美国（原悉尼）", "米国（旧シドニー）"],
  "eu-central-1": ["Germany (Frankfurt)", "德国（法兰克福）", "ドイツ（フランクフルト）"],
  "us-east-1": ["US (Virginia)", "美国（弗吉尼亚）", "米国（バージニア）"],
};

export function regionName(id: string, title = id): string {
  return regionNames[id]?.[{ en: 0, zh: 1, ja: 2 }[language()]] ?? title;
}
