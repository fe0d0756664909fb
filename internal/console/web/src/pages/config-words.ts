// What the keys of a connector's config are called and what they mean, for the
// form and for the JSON editor, and what the service finds wrong with them.
import { language, languageTag, texts } from "../i18n";
import type { Path } from "./jsonschema";
import words from "./schema-words.json";

const labels = texts({
  en: {
    accessKeyId: "Access key ID", accessKeySecret: "Access key secret", securityToken: "Security token (STS)", accountName: "Sender address", fromAlias: "Sender name",
    regionId: "Region", endpoint: "Endpoint", replyAddress: "Reply address", tagName: "Tag", recipient: "For one recipient", ip: "For one client IP", connector: "For this connector",
    codeLifetime: "Life of a code", defaultLanguage: "Default language", delivery: "Delivery", onUnknown: "After a crash", onMissing: "Missing variables", templates: "Templates", limits: "Limits",
  },
  zh: {
    accessKeyId: "AccessKey ID", accessKeySecret: "AccessKey Secret", securityToken: "安全令牌（STS）", accountName: "发信地址", fromAlias: "发信人名称",
    regionId: "地域", endpoint: "接入点", replyAddress: "回信地址", tagName: "标签", recipient: "每个收件人", ip: "每个客户端 IP", connector: "整个连接器",
    codeLifetime: "验证码有效期", defaultLanguage: "默认语言", delivery: "投递方式", onUnknown: "崩溃之后", onMissing: "缺少变量时", templates: "模板", limits: "频率限制",
  },
  ja: {
    accessKeyId: "AccessKey ID", accessKeySecret: "AccessKey Secret", securityToken: "セキュリティトークン（STS）", accountName: "送信元アドレス", fromAlias: "差出人名",
    regionId: "リージョン", endpoint: "エンドポイント", replyAddress: "返信先アドレス", tagName: "タグ", recipient: "受信者ごと", ip: "クライアント IP ごと", connector: "コネクタ全体",
    codeLifetime: "コードの有効期間", defaultLanguage: "既定の言語", delivery: "配信方法", onUnknown: "クラッシュの後", onMissing: "変数がない場合", templates: "テンプレート", limits: "送信数の制限",
  },
});

export type Key = Parameters<typeof labels>[0];

export const label = labels;

const helps = texts({
  en: {
    accessKeyId: "Of a RAM user that may call dm:SingleSendMail and nothing else.", accessKeySecret: "The secret that belongs to the access key ID.",
    securityToken: "Only for a temporary key.", accountName: "As it was created in the Direct Mail console.", fromAlias: "What readers see, at most 15 characters.",
    regionId: "The region whose Direct Mail console has the sender address.", endpoint: "A host instead of the region's own, such as dm-vpc.cn-hangzhou.aliyuncs.com.",
    replyAddress: "Where answers go. It must be verified in the Direct Mail console.", tagName: "For the statistics of the Direct Mail console.",
    recipient: "A rate such as 10/10m, or off. Default: 10/10m.", ip: "Default: off.", connector: "Default: 100/1s, which is Aliyun's own limit.",
    codeLifetime: "From 1m to 24h. Nothing is sent after that. Default: 10m.", defaultLanguage: "For readers whose languages have no template. Default: that of the first template.",
    delivery: "Direct: the answer comes when Aliyun has accepted the mail. Queued: as soon as the mail is stored.", onUnknown: "What to do with a queued mail that a crash left half sent.",
    onMissing: "What to do with a variable that the request does not carry.", templates: "The mails: one's own, or the ready-made ones.", limits: "How many mails may be sent: 10/10m is ten at once, refilled evenly over ten minutes.",
  },
  zh: {
    accessKeyId: "所属 RAM 用户只需 dm:SingleSendMail 权限。", accessKeySecret: "与 AccessKey ID 对应的密钥。",
    securityToken: "仅用于临时密钥。", accountName: "与邮件推送控制台中创建的一致。", fromAlias: "收件人看到的名称，最多 15 个字符。",
    regionId: "创建发信地址时，邮件推送控制台所在的地域。", endpoint: "用来代替地域默认接入点的主机，例如 dm-vpc.cn-hangzhou.aliyuncs.com。",
    replyAddress: "收件人回信的去处，须在邮件推送控制台中验证。", tagName: "用于邮件推送控制台的统计。",
    recipient: "频率，例如 10/10m，或 off。默认 10/10m。", ip: "默认 off。", connector: "默认 100/1s，即阿里云自身的上限。",
    codeLifetime: "1m 至 24h，过期后不再发送。默认 10m。", defaultLanguage: "没有合适语言的模板时使用。默认为第一个模板的语言。",
    delivery: "直接：阿里云接受邮件后才应答。排队：邮件一存好就应答。", onUnknown: "崩溃时正在发送的排队邮件如何处理。",
    onMissing: "请求中没有某个变量时如何处理。", templates: "邮件内容：自己的模板，或内置模板。", limits: "允许发送的数量：10/10m 表示可一次发十封，额度在十分钟内均匀恢复。",
  },
  ja: {
    accessKeyId: "dm:SingleSendMail だけを許可した RAM ユーザーのもの。", accessKeySecret: "AccessKey ID に対応するシークレット。",
    securityToken: "一時キーの場合のみ。", accountName: "Direct Mail コンソールで作成したとおりに。", fromAlias: "受信者に表示される名前。15 文字まで。",
    regionId: "送信元アドレスを作成した Direct Mail コンソールのリージョン。", endpoint: "リージョン標準の代わりに使うホスト。例：dm-vpc.cn-hangzhou.aliyuncs.com",
    replyAddress: "返信の宛先。Direct Mail コンソールでの認証が必要です。", tagName: "Direct Mail コンソールの統計用。",
    recipient: "10/10m のような頻度、または off。既定は 10/10m。", ip: "既定は off。", connector: "既定は 100/1s（Aliyun 側の上限）。",
    codeLifetime: "1m から 24h まで。過ぎたものは送信しません。既定は 10m。", defaultLanguage: "合う言語のテンプレートがない場合に使います。既定は最初のテンプレートの言語。",
    delivery: "直接：Aliyun が受け付けてから応答します。キュー：保存した時点で応答します。", onUnknown: "クラッシュで送信途中になったキューのメールの扱い。",
    onMissing: "リクエストに変数がない場合の扱い。", templates: "メールの内容。独自のもの、または組み込みのもの。", limits: "送信できる数。10/10m は一度に 10 通まで、10 分かけて均等に回復します。",
  },
});

export const help = helps;

const schemaWords: Record<string, Record<string, string>> = words;

/** Returns a sentence of the schema in the reader's language, if it is translated. */
export function schemaText(sentence: string): string {
  return schemaWords[sentence]?.[languageTag()] ?? sentence;
}

const keys = new Set<string>(["accessKeyId", "accessKeySecret", "securityToken", "accountName", "fromAlias", "regionId", "endpoint", "replyAddress", "tagName",
  "codeLifetime", "defaultLanguage", "delivery", "onUnknown", "onMissing", "templates", "limits", "recipient", "ip", "connector"]);

function isKey(name: string): name is Key {
  return keys.has(name);
}

/** Returns what the key at a path of the config means, if the page has words of its own for it. */
export function helpAt(path: Path): string | undefined {
  const name = String(path.at(-1));
  const known = path.length === 1 || (path.length === 2 && path[0] === "limits");
  return known && isKey(name) ? helps(name) : undefined;
}

/** Returns a name for a path of the config: "Sender name", or "templates › 2 › subject". */
export function nameAt(path: string[]): string {
  const [first = "", second = ""] = path;
  if (path.length === 1 && first === "id") return "ID";
  if (path.length === 1 && isKey(first)) return labels(first);
  if (path.length === 2 && first === "limits" && isKey(second)) return `${labels("limits")} › ${labels(second)}`;
  if (path.length > 1 && isKey(first)) return [labels(first), ...path.slice(1).map((p) => (/^\d+$/.test(p) ? String(Number(p) + 1) : p))].join(" › ");
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

// The service speaks English. What it says of a config's keys, in the other languages.
const sentences: [RegExp, string, string][] = [
  [/^Enter the AccessKey .*$|^Enter a sender address .*$|^Enter a list of templates.*$|^Enter what .*$|^Enter the mail's .*$/, "尚未填写", "入力されていません"],
  [/^is the mask, which stands for.*$/, "*** 只在 accessKeyId 和 endpoint 不变时代表已存的密钥：请重新输入密钥", "*** が保存済みのシークレットを表すのは、accessKeyId と endpoint が変わらない間だけです。シークレットを入力してください"],
  [/^is a mask, and no secret is stored.*$/, "*** 是掩码，但没有已存的密钥：请输入密钥", "*** はマスクですが、保存済みのシークレットがありません。シークレットを入力してください"],
  [/^Shorten it to (\d+) characters: it has (\d+)$/, "有 $2 个字符，Direct Mail 最多接受 $1 个", "$2 文字あります。Direct Mail が受け付けるのは $1 文字までです"],
  [/^Enter one mail address such as (\S+?):.*$/, "应为一个邮箱地址，例如 $1", "$1 のようなメールアドレスを 1 つ入力してください"],
  [/^Enter a rate such as .*$/, "应为 10/10m 这样的频率（一次十封，十分钟内恢复），或 off", "10/10m のような頻度（一度に 10 通、10 分で回復）、または off を入力してください"],
  [/^Enter a time from (\S+) to (\S+), such as .*$/, "应为 $1 至 $2 的时间，例如 10m", "$1 から $2 までの時間を入力してください（例：10m）"],
  [/^(?:must be|Use) one of: (.*)$/, "应为以下之一：$1", "次のいずれかにしてください：$1"],
  [/^is not a key of a connector and has no effect$/, "不是连接器的键，不起作用", "コネクタのキーではないため、効果がありません"],
  [/^Use one of (.*), or enter the endpoint as well: .*$/, "不是 Direct Mail 的地域：请用 $1 之一，或同时填写接入点", "Direct Mail のリージョンではありません。$1 のいずれかにするか、エンドポイントも指定してください"],
  [/^there is a connector (\S+) already$/, "已有名为 $1 的连接器", "$1 というコネクタはすでにあります"],
  [/^the id (\S+) is reserved$/, "ID $1 是保留的", "ID $1 は予約されています"],
  [/^must be at most 128 letters.*$/, "最多 128 个字母、数字、-、_ 和 .，且不能以点开头", "英数字と - _ . で 128 文字まで。先頭に点は使えません"],
  [/^looks like an example's placeholder.*$/, "像是示例中未替换的占位内容", "例の記入欄がそのまま残っているようです"],
  [/^Add templates for (.*), which Logto requires$/, "缺少以下用途的模板：$1，Logto 不能没有它们", "次の用途のテンプレートがありません：$1。Logto に必要です"],
  [/^.*is to be delivered "queued", which needs state.*$/, "排队投递需要重启后仍在的存储，而内存不是", "キュー配信には再起動後も残るストレージが必要です。メモリでは使えません"],
];

/** Returns what the service has found, in the reader's language where there are words for it. */
export function detailText(detail: string): string {
  if (language() === "en") return detail;
  const found = sentences.find(([pattern]) => pattern.test(detail));
  return found ? detail.replace(found[0], found[language() === "zh" ? 1 : 2]) : detail;
}
