// What to do about a mail that was not sent, by the service's code and Aliyun's answer.
import type { Config, Problem } from "../api";
import { fill, type Language, language } from "../i18n";
import { regionName } from "./config-words";
import { textAt } from "./draft";
import type { MessageCode } from "./message-words";

/** A failure. Region and sender are the connector's. */
export interface Failure {
  code: Problem["code"];
  /** The attempt's error or the message's detail, which has Aliyun's code. */
  said?: string;
  region?: string;
  sender?: string;
}

/** A connector's region and sender, as far as its config has them. */
export function senderOf(config: Config): Pick<Failure, "region" | "sender"> {
  return { region: textAt(config, "regionId"), sender: textAt(config, "accountName") };
}

export interface Advice {
  title: string;
  steps: string[];
  /** A text to copy. */
  snippet?: string;
}

/** An answer of Direct Mail. */
export interface Answer {
  code: string;
  status?: number;
  requestId?: string;
  message: string;
}

const told = /direct mail: \w+(?:: ([A-Z][A-Za-z]*(?:\.[A-Za-z]+)*))?(?: \(HTTP (\d+)(?:, request ([^)\s]+))?\))?(?:: (.*))?$/s;

/** Parses the text of an attempt's error. */
export function answerOf(said: string): Answer {
  const found = told.exec(said);
  if (!found) return { code: "", message: said };
  return { code: found[1] ?? "", status: found[2] ? Number(found[2]) : undefined, requestId: found[3], message: found[4] ?? "" };
}

type Topic = keyof typeof topics;

// By prefix of Aliyun's code; the longest match wins.
const byAnswer: Record<string, Topic> = {
  "Throttling": "throttled", "InvalidSendSms": "throttled",
  "InvalidQuota": "quota", "InvalidQuotaLevel": "account",
  "InvalidSendMail.Spam": "spam",
  "InvalidSubject": "subject", "MissingSubject": "subject",
  "InvalidBody": "body", "MissingHtmlBody": "body", "MissingTextBody": "body",
  "InvalidToAddress": "recipient", "MissingToAddress": "recipient", "InvalidReceiver": "recipient", "Email": "recipient",
  "InvalidToAddress.Spam": "bounced",
  "InvalidMailAddress": "sender", "MissingAccountName": "sender",
  "InvalidMailAddress.NotFound": "region", "InvalidMailAddressDomain": "domain",
  "InvalidFromAlias": "alias", "InvalidFromALias": "alias",
  "InvalidReplyAddress": "reply", "InvalidTag": "tag",
  "InvalidUser.NotFound": "notActivated",
  "InvalidUserStatus": "account", "LogicalDeleteUserStatus": "account", "User.": "account",
  "InvalidIP": "address",
  "InvalidAccessKeyId": "key", "MissingAccessKeyId": "key",
  "InvalidAccessKeyId.Inactive": "disabled", "Forbidden.AccessKeyDisabled": "disabled",
  "SignatureDoesNotMatch": "secret", "IncompleteSignature": "secret", "MissingSignature": "secret",
  "InvalidSecurityToken": "token", "MissingSecurityToken": "token",
  "InvalidTimeStamp": "clock", "InvalidTimestamp": "clock", "IllegalTimestamp": "clock",
  "Forbidden": "permission", "NoPermission": "permission", "RAM.": "permission", "UnsupportedSourceControl": "permission",
  "Forbidden.RiskControl": "risk",
  "InvalidAction": "endpoint", "InvalidApi": "endpoint", "InvalidVersion": "endpoint", "InvalidProtocol": "endpoint",
  "UnsupportedHTTPMethod": "endpoint", "InvalidSignature": "endpoint", "InvalidParameter": "endpoint", "Missing": "endpoint",
  "SignatureNonceUsed": "unknown", "InternalError": "unknown", "InternalServiceError": "unknown", "ServiceUnavailable": "unknown",
};

const byCode: Record<MessageCode | "unreachable", Topic> = {
  invalid_recipient: "notAddress", template_not_found: "template", variable_missing: "variable",
  provider_busy: "throttled", quota_exhausted: "quota", recipient_rejected: "recipient", content_rejected: "size",
  provider_rejected: "other", provider_unavailable: "unreachable", outcome_unknown: "unknown",
  rate_limited: "limited", overloaded: "overloaded", superseded: "superseded", in_progress: "progress", idempotency_mismatch: "progress",
  connector_not_found: "gone", unavailable: "state", internal: "defect", invalid_config: "config",
  unreachable: "service",
};

// The regions of Direct Mail. A sender address belongs to one of them.
const regions = ["cn-hangzhou", "ap-southeast-1", "us-east-1", "eu-central-1"];

/** "Singapore (ap-southeast-1)" */
function regionText(id: string): string {
  const name = regionName(id);
  if (name === id) return id;
  return language() === "en" ? `${name} (${id})` : `${name} ${id}`;
}

const policy = JSON.stringify({ Version: "1", Statement: [{ Effect: "Allow", Action: "dm:SingleSendMail", Resource: "*" }] }, null, 2);

function topicOf(failure: Failure): Topic {
  const code = answerOf(failure.said ?? "").code;
  const beginning = Object.keys(byAnswer).filter((b) => code.startsWith(b)).sort((a, b) => b.length - a.length)[0];
  return (beginning && byAnswer[beginning]) || (isAdvised(failure.code) ? byCode[failure.code] : "other");
}

/** Reports whether there is advice for a code. */
export function isAdvised(code: Problem["code"]): code is keyof typeof byCode {
  return Object.hasOwn(byCode, code);
}

/** Returns the advice for a failure. */
export function advise(failure: Failure): Advice {
  const topic = topicOf(failure);
  const asked = failure.region || regions[0]!;
  const values: Record<string, string> = {
    sender: failure.sender || "accountName",
    region: regionText(asked),
    regions: regions.filter((id) => id !== asked).map(regionText).join({ en: "; ", zh: "；", ja: "、" }[language()]),
  };
  const [title = "", ...steps] = topics[topic][language()].map((s) => fill(s, values));
  return { title, steps, snippet: topic === "permission" ? policy : undefined };
}

// Title first, then the steps.
const topics = {
  region: {
    en: ["Aliyun does not know the sender address in this region",
      "The request went to {region}. A sender address exists only in the region where it was created.",
      "Switch the region at the top of the Direct Mail console and look for {sender} in the others: {regions}.",
      "If it is in another region, choose that region in the connector. Otherwise create the address, or correct its spelling."],
    zh: ["阿里云在该地域找不到发信地址",
      "请求的地域是 {region}。发信地址只存在于创建它的地域。",
      "在邮件推送控制台顶部切换地域，查找 {sender}：{regions}。",
      "如果它在其他地域，请在连接器中选择那个地域；如果都没有，请新建该地址，或更正拼写。"],
    ja: ["このリージョンに送信元アドレスがありません",
      "問い合わせたリージョンは {region} です。送信元アドレスは、作成したリージョンにだけ存在します。",
      "Direct Mail コンソールの上部でリージョンを切り替え、{sender} を探してください：{regions}。",
      "別のリージョンにあれば、コネクターでそのリージョンを選びます。どこにもなければ、アドレスを作成するか、つづりを直してください。"],
  },
  domain: {
    en: ["The domain of the sender address is not verified",
      "Open “Email Domains” in the Direct Mail console and find the domain of {sender}.",
      "Add the DNS records shown there (ownership, SPF, DKIM, MX) at your DNS provider.",
      "Click “Verify” in the console. New DNS records take minutes, sometimes hours, to become visible."],
    zh: ["发信域名未通过验证",
      "在邮件推送控制台打开“发信域名”，找到 {sender} 的域名。",
      "按页面所示，在 DNS 服务商处配置所有权、SPF、DKIM、MX 记录。",
      "在控制台点击“验证”。新的 DNS 记录需要几分钟、有时几小时才能生效。"],
    ja: ["送信元アドレスのドメインが検証されていません",
      "Direct Mail コンソールの「メールドメイン」で {sender} のドメインを開きます。",
      "表示される DNS レコード（所有権、SPF、DKIM、MX）を DNS プロバイダーに設定します。",
      "コンソールで「検証」を押します。新しい DNS レコードの反映には数分、時には数時間かかります。"],
  },
  sender: {
    en: ["Aliyun does not accept the sender address",
      "Check the spelling of {sender} in the connector (accountName).",
      "Check in the Direct Mail console that the address is active and not frozen.",
      "Its type must be “triggered emails”, and its reply address, if any, must be verified."],
    zh: ["阿里云不接受该发信地址",
      "检查连接器中 {sender}（accountName）的拼写。",
      "在邮件推送控制台查看该地址是否可用、是否被冻结。",
      "其类型须为“触发邮件”；如设有回信地址，该地址须已验证。"],
    ja: ["送信元アドレスが受け付けられません",
      "コネクターの {sender}（accountName）のつづりを確認します。",
      "Direct Mail コンソールで、アドレスが有効で凍結されていないことを確認します。",
      "種類は「トリガーメール」である必要があります。返信先があれば、検証済みでなければなりません。"],
  },
  notActivated: {
    en: ["Direct Mail is not activated in this region",
      "The request went to {region}.",
      "Sign in to the Direct Mail console with the account that owns the access key, and activate the service in this region.",
      "If it is active in another region, choose that region in the connector: {regions}."],
    zh: ["该地域未开通邮件推送",
      "请求的地域是 {region}。",
      "用访问密钥所属的账号登录邮件推送控制台，在该地域开通服务。",
      "如果已在其他地域开通，请在连接器中选择那个地域：{regions}。"],
    ja: ["このリージョンで Direct Mail が有効になっていません",
      "問い合わせたリージョンは {region} です。",
      "アクセスキーの持ち主のアカウントで Direct Mail コンソールにログインし、このリージョンで有効にします。",
      "別のリージョンで有効なら、コネクターでそのリージョンを選びます：{regions}。"],
  },
  key: {
    en: ["Aliyun does not know the access key",
      "Copy the AccessKey ID from the RAM console again, without leading or trailing spaces.",
      "Check that the key still exists and belongs to the right account: China and international accounts are separate."],
    zh: ["阿里云找不到该访问密钥",
      "从 RAM 控制台重新复制 AccessKey ID，前后不要有空格。",
      "确认密钥未被删除，且属于正确的账号：中国站与国际站的账号互不相通。"],
    ja: ["アクセスキーが見つかりません",
      "RAM コンソールから AccessKey ID をもう一度コピーします。前後に空白を入れないでください。",
      "キーが削除されていないこと、正しいアカウントのものであることを確認します。中国サイトと国際サイトのアカウントは別です。"],
  },
  disabled: {
    en: ["The access key is disabled",
      "Open the RAM user in the RAM console and find the key under “AccessKey”.",
      "Enable it. If it was disabled because it leaked, create a new key instead and enter it in the connector."],
    zh: ["访问密钥已被禁用",
      "在 RAM 控制台打开该 RAM 用户，在“AccessKey”下找到这个密钥。",
      "启用它。如果是因泄露而禁用，请改为新建密钥并填入连接器。"],
    ja: ["アクセスキーが無効になっています",
      "RAM コンソールで RAM ユーザーを開き、「AccessKey」でこのキーを探します。",
      "有効にします。漏えいのために無効にしたのなら、新しいキーを作成してコネクターに入力してください。"],
  },
  permission: {
    en: ["The access key has no permission to send mail",
      "In the RAM console, create a custom policy from the text below, or use the system policy AliyunDirectMailFullAccess.",
      "Grant it to the RAM user that owns the access key.",
      "Wait a minute and send again. If Aliyun still rejects it, check in the console whether risk control blocks the account."],
    zh: ["该访问密钥没有发信权限",
      "在 RAM 控制台用下面的内容新建自定义权限策略，或使用系统策略 AliyunDirectMailFullAccess。",
      "把它授予该访问密钥所属的 RAM 用户。",
      "等一分钟后重新发送。如仍被拒绝，请在控制台查看账号是否被风控限制。"],
    ja: ["アクセスキーにメール送信の権限がありません",
      "RAM コンソールで下の内容のカスタムポリシーを作成するか、システムポリシー AliyunDirectMailFullAccess を使います。",
      "アクセスキーの持ち主の RAM ユーザーに付与します。",
      "1 分ほど待ってから再送します。それでも拒否される場合は、アカウントがリスク管理で制限されていないかコンソールで確認してください。"],
  },
  risk: {
    en: ["Aliyun's risk control blocks the account",
      "Sign in to the Alibaba Cloud console as the account owner and look for a security notice.",
      "Follow it, or open a ticket with the request ID below."],
    zh: ["账号被阿里云风控限制",
      "用主账号登录阿里云控制台，查看安全通知。",
      "按通知处理，或附上下方的 RequestId 提交工单。"],
    ja: ["アカウントがリスク管理により制限されています",
      "アカウントの所有者で Alibaba Cloud コンソールにログインし、セキュリティ通知を確認します。",
      "通知に従うか、下のリクエスト ID を添えてチケットを起票してください。"],
  },
  secret: {
    en: ["The access key secret is wrong",
      "Enter the AccessKey ID and its AccessKey Secret again, without spaces. Aliyun shows the secret only when the key is created.",
      "If the secret is lost, create a new key in the RAM console and enter both.",
      "If both are right, a proxy on the way to Aliyun may be changing the requests."],
    zh: ["访问密钥的 Secret 不正确",
      "重新成对填写 AccessKey ID 和 AccessKey Secret，不要带空格。Secret 只在创建密钥时显示一次。",
      "如果 Secret 已丢失，请在 RAM 控制台新建密钥并填入两者。",
      "如果两者都正确，到阿里云之间的代理可能改动了请求。"],
    ja: ["アクセスキーのシークレットが正しくありません",
      "AccessKey ID と AccessKey Secret を、組のまま空白なしで入力し直します。シークレットはキーの作成時にしか表示されません。",
      "シークレットが分からなければ、RAM コンソールで新しいキーを作成し、両方を入力します。",
      "両方とも正しい場合は、途中のプロキシがリクエストを書き換えている可能性があります。"],
  },
  token: {
    en: ["The temporary credentials are not valid",
      "The access key is a temporary one (STS). Its security token is missing, has expired or belongs to another key.",
      "Get new temporary credentials and enter all three values, or use a permanent key of a RAM user."],
    zh: ["临时凭证无效",
      "这是临时访问密钥（STS），其安全令牌缺失、已过期或属于另一个密钥。",
      "重新获取临时凭证并填入全部三个值，或改用 RAM 用户的长期密钥。"],
    ja: ["一時的な認証情報が有効ではありません",
      "これは一時的なアクセスキー（STS）で、セキュリティトークンがないか、期限切れか、別のキーのものです。",
      "新しい一時的な認証情報を取得して 3 つの値をすべて入力するか、RAM ユーザーの恒久的なキーを使います。"],
  },
  clock: {
    en: ["The service's clock is wrong",
      "It is off by more than 15 minutes, so Aliyun rejects the signature.",
      "Set the clock, keep it in sync with NTP, and send again."],
    zh: ["服务所在机器的时钟不准",
      "偏差超过 15 分钟，阿里云因此拒绝签名。",
      "校准时钟并用 NTP 保持同步，然后重新发送。"],
    ja: ["サービスのマシンの時計がずれています",
      "15 分以上ずれているため、Aliyun が署名を拒否しました。",
      "時計を合わせ、NTP で同期させてから、もう一度送信します。"],
  },
  quota: {
    en: ["The sending quota is used up",
      "The Direct Mail console shows the daily and monthly quota. The daily quota resets the next day.",
      "If you need more, open a ticket for a higher quota. Aliyun expects a low rate of invalid addresses.",
      "Check under Messages whether something sends more than it should."],
    zh: ["发信额度已用完",
      "邮件推送控制台显示日额度和月额度；日额度次日恢复。",
      "如急需或经常不够，请提交工单提高额度；阿里云会考察无效地址率。",
      "在邮件记录中查看是否有异常的大量发送。"],
    ja: ["送信枠を使い切りました",
      "Direct Mail コンソールに日次と月次の枠が表示されます。日次の枠は翌日に回復します。",
      "急ぐ場合や頻繁に足りない場合は、チケットで増枠を依頼します。無効アドレスの割合が低いことが求められます。",
      "想定より多く送信しているものがないか、メッセージの一覧で確認してください。"],
  },
  throttled: {
    en: ["Too many requests at once",
      "Aliyun accepts about 100 requests per second from one account. Wait a moment and send again.",
      "If it continues, find out what else sends through this account, or ask Aliyun for a higher rate."],
    zh: ["请求过于频繁",
      "阿里云每个账号每秒约接受 100 次调用。请稍候再发。",
      "如果持续出现，请查明还有什么在用该账号发信，或向阿里云申请更高的频率。"],
    ja: ["リクエストが多すぎます",
      "Aliyun が 1 つのアカウントから受け付けるのは毎秒約 100 回です。少し待ってから再送してください。",
      "続くようなら、同じアカウントで送信しているものが他にないか調べるか、上限の引き上げを依頼します。"],
  },
  account: {
    en: ["The Aliyun account cannot send",
      "Check in the Alibaba Cloud console whether a payment is overdue.",
      "The Direct Mail console shows whether the account is frozen, restricted or deleted, and why.",
      "If it shows no reason, open a ticket with the request ID below."],
    zh: ["阿里云账号无法发信",
      "在阿里云控制台查看账号是否欠费，如欠费请充值。",
      "邮件推送控制台显示账号是否被冻结、限制或删除，以及原因。",
      "如果没有显示原因，请附上下方的 RequestId 提交工单。"],
    ja: ["Aliyun アカウントで送信できません",
      "未払いの料金がないか Alibaba Cloud コンソールで確認し、あれば支払います。",
      "アカウントが凍結、制限、削除されていないか、またその理由は Direct Mail コンソールに表示されます。",
      "理由が表示されなければ、下のリクエスト ID を添えてチケットを起票してください。"],
  },
  address: {
    en: ["Aliyun does not accept this machine's IP address",
      "The account has IP protection. In the Direct Mail console, allow the address from which this service reaches Aliyun.",
      "With a VPC endpoint, that is the private address."],
    zh: ["阿里云不接受本机的 IP 地址",
      "该账号启用了 IP 防护。请在邮件推送控制台的名单中加入本服务访问阿里云所用的地址。",
      "经 VPC 接入点访问时，是内网地址。"],
    ja: ["このマシンの IP アドレスが受け付けられません",
      "アカウントで IP 保護が有効です。このサービスが Aliyun に接続するときの IP アドレスを、Direct Mail コンソールの一覧に追加します。",
      "VPC エンドポイントを使う場合はプライベートアドレスです。"],
  },
  spam: {
    en: ["Aliyun's spam filter rejected the mail",
      "Check the template: shortened links, QR codes, images without text and names of social networks are common causes. A short text with the code works best.",
      "Many mails to one recipient in a short time are rejected the same way. Wait a few minutes, or try another recipient.",
      "Check in the Direct Mail console whether the account is restricted or out of quota."],
    zh: ["阿里云的垃圾邮件过滤拒绝了该邮件",
      "检查模板：常见原因有短链接、二维码、纯图片和社交网络名称。只含验证码的简短文字最易通过。",
      "短时间内向同一收件人发送多封也会被拒绝。请等几分钟，或换一个收件人试试。",
      "在邮件推送控制台查看账号是否受限或额度用完。"],
    ja: ["Aliyun の迷惑メールフィルターがメールを拒否しました",
      "テンプレートを確認します。短縮リンク、QR コード、文字のない画像、SNS の名前がよくある原因です。コードだけの簡素な文面が最も通りやすくなります。",
      "短時間に同じ宛先へ多く送った場合も同じ応答になります。数分待つか、別の宛先で試してください。",
      "アカウントが制限されていないか、枠が残っているかを Direct Mail コンソールで確認します。"],
  },
  size: {
    en: ["The mail or one of its values is too large",
      "The details name the value, if it is one: at most 4 KiB. Let the calling program send a shorter value, or do not show it in the template.",
      "A mail can have at most 512 KiB. Link to pictures instead of embedding them in the template."],
    zh: ["邮件或其中某个变量的内容过大",
      "如果是某个变量，详情中会写明：最多 4 KiB。请让调用方发送更短的内容，或不在模板中显示它。",
      "整封邮件最多 512 KiB。请从模板中移除内嵌图片，改用图片链接。"],
    ja: ["メールまたは変数の値が大きすぎます",
      "変数が原因なら、詳細に変数名があります。値は 4 KiB までです。呼び出し側で短くするか、テンプレートに表示しないようにします。",
      "メール全体は 512 KiB までです。テンプレートに埋め込んだ画像はリンクに置き換えます。"],
  },
  subject: {
    en: ["Aliyun does not accept the subject", "Shorten the template's subject: up to 100 characters are safe, 256 is the maximum. It must not be empty."],
    zh: ["阿里云不接受该主题", "缩短模板的主题：100 个字符以内最稳妥，最多 256 个；不能为空。"],
    ja: ["件名が受け付けられません", "テンプレートの件名を短くします。100 文字以内なら安全で、最大 256 文字です。空にはできません。"],
  },
  body: {
    en: ["Aliyun does not accept the mail's body", "Check that the template has content."],
    zh: ["阿里云不接受邮件正文", "检查模板是否有正文。"],
    ja: ["メールの本文が受け付けられません", "テンプレートに本文があることを確認します。"],
  },
  recipient: {
    en: ["Aliyun does not accept the recipient",
      "Check the spelling of the address. Letters, digits and . _ - are safe before the @; some other characters are refused.",
      "Try another address to see whether only this one is affected."],
    zh: ["阿里云不接受该收件人",
      "检查地址的拼写。@ 之前用字母、数字和 . _ - 最稳妥，有些其他字符会被拒绝。",
      "换一个地址试试，看是否只有它有问题。"],
    ja: ["宛先が受け付けられません",
      "アドレスのつづりを確認します。@ の前は英数字と . _ - が安全で、他の文字は拒否されることがあります。",
      "このアドレスだけの問題か、別のアドレスで試してください。"],
  },
  bounced: {
    en: ["The recipient is on Aliyun's list of invalid addresses",
      "Mail to this address has bounced before. Check its spelling.",
      "If the address exists, remove it from the list of invalid addresses in the Direct Mail console."],
    zh: ["收件人在阿里云的无效地址库中",
      "以前发往该地址的邮件被退回过。请检查拼写。",
      "如果地址确实存在，请在邮件推送控制台把它移出无效地址列表。"],
    ja: ["宛先が Aliyun の無効アドレス一覧にあります",
      "以前このアドレス宛のメールが返送されました。つづりを確認してください。",
      "アドレスが実在するなら、Direct Mail コンソールで無効アドレスの一覧から外します。"],
  },
  alias: {
    en: ["Aliyun does not accept the sender name", "Shorten the sender name (fromAlias, or the template's sendFrom): at most 15 characters, 14 to be safe, and no special characters."],
    zh: ["阿里云不接受发信人名称", "缩短发信人名称（fromAlias，或模板的 sendFrom）：最多 15 个字符，14 个以内最稳妥，不含特殊字符。"],
    ja: ["差出人名が受け付けられません", "差出人名（fromAlias、またはテンプレートの sendFrom）を短くします。最大 15 文字、安全なのは 14 文字以内で、特殊文字は使えません。"],
  },
  reply: {
    en: ["Aliyun does not accept the reply address", "Check the reply address in the connector (replyAddress) and in the template (replyTo): it must be one mail address."],
    zh: ["阿里云不接受回信地址", "检查连接器的 replyAddress 和模板的 replyTo：必须是一个邮箱地址。"],
    ja: ["返信先が受け付けられません", "コネクターの replyAddress とテンプレートの replyTo を確認します。1 つのメールアドレスでなければなりません。"],
  },
  tag: {
    en: ["Aliyun does not know the tag", "Create the tag in the Direct Mail console, or remove tagName from the connector.", "A tag may contain only letters, digits, _ and -."],
    zh: ["阿里云找不到该标签", "在邮件推送控制台创建该标签，或从连接器中去掉 tagName。", "标签只能含字母、数字、_ 和 -。"],
    ja: ["タグが見つかりません", "Direct Mail コンソールでタグを作成するか、コネクターから tagName を外します。", "タグに使えるのは英数字と _ - だけです。"],
  },
  endpoint: {
    en: ["The server did not understand the request",
      "If the connector sets its own endpoint, check that it is one of Direct Mail's, or remove it.",
      "Check whether a proxy on the way changes the requests."],
    zh: ["对方服务器无法理解请求",
      "如果连接器设置了自定义接入点，请确认它是邮件推送的接入点，或去掉该项。",
      "检查中间的代理是否改动了请求。"],
    ja: ["サーバーがリクエストを理解できませんでした",
      "コネクターに独自のエンドポイントがあれば、Direct Mail のものか確認するか、外してください。",
      "途中のプロキシがリクエストを書き換えていないか確認します。"],
  },
  unreachable: {
    en: ["Aliyun cannot be reached; nothing was sent",
      "Check that the service can reach the internet and resolve Aliyun's host names (DNS).",
      "The firewall must allow outgoing HTTPS (port 443) to *.aliyuncs.com.",
      "If the connector sets its own endpoint, such as one inside a VPC, check that it is reachable from here and in the right region."],
    zh: ["无法连接阿里云；邮件没有发出",
      "检查服务所在机器能否访问互联网，并能解析阿里云的域名（DNS）。",
      "防火墙须允许到 *.aliyuncs.com 的 HTTPS（443 端口）出站访问。",
      "如果连接器设置了自定义接入点（例如 VPC 内的），请确认从这里可达，且地域正确。"],
    ja: ["Aliyun に接続できず、何も送信していません",
      "サービスのマシンがインターネットに接続でき、Aliyun のホスト名を解決できる（DNS）ことを確認します。",
      "ファイアウォールで *.aliyuncs.com への HTTPS（443 番ポート）を許可してください。",
      "VPC 内など独自のエンドポイントをコネクターで指定している場合は、ここから到達でき、リージョンが正しいことを確認します。"],
  },
  unknown: {
    en: ["The mail may or may not have been sent",
      "Aliyun gave no clear answer in time. The mail is not resent automatically, so that nobody receives it twice.",
      "Check the recipient's mailbox, or look for the mail in the Direct Mail console.",
      "If this continues, check Alibaba Cloud's status page and the network in between."],
    zh: ["邮件可能已发出，也可能没有",
      "阿里云没有及时返回明确结果。为免收件人收到两封，不会自动重发。",
      "查看收件人的邮箱，或在邮件推送控制台查找这封邮件。",
      "如果持续出现，请查看阿里云状态页并检查网络。"],
    ja: ["メールが送信されたかどうか分かりません",
      "Aliyun から時間内に明確な応答がありませんでした。二重に届かないよう、自動では再送しません。",
      "受信者のメールボックスを確認するか、Direct Mail コンソールでメールを探します。",
      "続くようなら、Alibaba Cloud のステータスページとネットワークを確認してください。"],
  },
  template: {
    en: ["There is no template for this mail", "Add a template for this usage type, or one for Generic, which is used for every type without its own."],
    zh: ["没有适用于这封邮件的模板", "为该用途添加模板，或添加 Generic 模板，它可代替所有用途。"],
    ja: ["このメールに使えるテンプレートがありません", "この用途のテンプレートを追加するか、すべての用途の代わりになる Generic のテンプレートを追加します。"],
  },
  variable: {
    en: ["The request lacks a variable of the template",
      "The connector rejects such requests (onMissing: refuse). The step “Template chosen” above names the variable.",
      "Send the value, remove the variable from the template, or put it in a section {{#name}} … {{/name}}."],
    zh: ["请求缺少模板中的变量",
      "连接器设置为拒绝此类请求（onMissing: refuse）。上方“已选定模板”一步列出了该变量。",
      "请传入该值，或从模板中去掉该变量，或放进区段 {{#name}} … {{/name}}。"],
    ja: ["リクエストにテンプレートの変数がありません",
      "コネクターはこのようなリクエストを拒否する設定です（onMissing: refuse）。変数名は上の「テンプレートを選択」に示されています。",
      "値を送るか、変数をテンプレートから外すか、セクション {{#name}} … {{/name}} に入れてください。"],
  },
  notAddress: {
    en: ["This is not a single mail address", "Enter one address such as user@example.com, without a name or a list."],
    zh: ["不是单个邮箱地址", "请只填写一个地址，如 user@example.com，不带姓名。"],
    ja: ["単一のメールアドレスではありません", "user@example.com のようなアドレスを 1 つだけ、名前を付けずに入力します。"],
  },
  limited: {
    en: ["Rate limit reached", "Wait a moment and try again. The connector sets the limits (limits); test mails are limited to 20 per minute."],
    zh: ["达到频率限制", "请稍候再试。频率限制在连接器中设置（limits）；测试邮件每分钟最多 20 封。"],
    ja: ["送信数の上限に達しました", "少し待ってから再試行します。上限はコネクターで設定します（limits）。テストメールは 1 分に 20 通までです。"],
  },
  overloaded: {
    en: ["The service is busy", "The mail could not go out in time, so it was not sent. Try again in a moment.", "If this continues, check the connector's rate (limits.connector) and how much is being sent."],
    zh: ["服务繁忙", "无法及时发出，因此没有发送。请稍后重试。", "如果持续出现，请查看连接器的频率限制（limits.connector）和发送量。"],
    ja: ["サービスが混み合っています", "時間内に送信できないため、送信しませんでした。少し待って再試行してください。", "続くようなら、コネクターの上限（limits.connector）と送信量を確認します。"],
  },
  superseded: {
    en: ["Superseded by a newer code", "No action needed: the user asked for another code, and only the newest one is sent."],
    zh: ["已被更新的验证码取代", "无需处理：用户再次请求了验证码，只发送最新的一个。"],
    ja: ["新しいコードに置き換わりました", "対応は不要です。ユーザーがコードを再度リクエストしたため、最新のものだけを送ります。"],
  },
  progress: {
    en: ["The Idempotency-Key was used before", "A request with the same key is in progress, or had a different body. The caller must use a new key for each mail."],
    zh: ["Idempotency-Key 已被使用", "使用同一个键的请求正在处理，或内容不同。调用方应为每封邮件使用新的键。"],
    ja: ["Idempotency-Key はすでに使われています", "同じキーのリクエストが処理中か、内容が異なっていました。呼び出し元はメールごとに新しいキーを使ってください。"],
  },
  gone: {
    en: ["The connector no longer exists", "Create it again with the same ID, or point the caller to another connector."],
    zh: ["连接器已不存在", "用同一 ID 重新创建，或让调用方改用其他连接器。"],
    ja: ["コネクターは存在しません", "同じ ID で作り直すか、呼び出し元で別のコネクターを使います。"],
  },
  state: {
    en: ["The service could not reach its storage; nothing was sent", "Check its database or disk; /readyz and the log have details."],
    zh: ["服务无法访问存储，因此没有发送", "检查数据库或磁盘；/readyz 和日志有更多信息。"],
    ja: ["サービスがストレージに接続できず、何も送信していません", "データベースまたは書き込み先のディスクを確認します。/readyz とログに詳細があります。"],
  },
  defect: {
    en: ["Internal error", "Search the log for the message's ID, and report what you find."],
    zh: ["服务内部错误", "在日志中查找该邮件的 ID，并反馈相关内容。"],
    ja: ["内部エラー", "ログでメッセージの ID を検索し、その内容を報告してください。"],
  },
  config: {
    en: ["The connector has errors", "Fix the problems listed, then send again."],
    zh: ["连接器有错误", "请改正所列各项后重新发送。"],
    ja: ["コネクターに誤りがあります", "一覧の項目を直してから、もう一度送信します。"],
  },
  service: {
    en: ["The connection to the service was lost", "The test may have continued: check under Messages.", "Check that the service is running."],
    zh: ["与服务的连接中断", "测试可能仍在继续：请在邮件记录中查看。", "检查服务是否在运行。"],
    ja: ["サービスとの接続が切れました", "テストは続行された可能性があります。メッセージの一覧で確認してください。", "サービスが起動しているか確認します。"],
  },
  other: {
    en: ["Aliyun rejected the mail",
      "Look up the code in Alibaba Cloud's Direct Mail documentation.",
      "Or open a ticket with the request ID below."],
    zh: ["阿里云拒绝了邮件",
      "在阿里云邮件推送的文档中查找该错误码。",
      "或附上下方的 RequestId 提交工单。"],
    ja: ["Aliyun がメールを拒否しました",
      "Alibaba Cloud の Direct Mail のドキュメントでコードを調べます。",
      "または、下のリクエスト ID を添えてチケットを起票します。"],
  },
} satisfies Record<string, Record<Language, string[]>>;
