// Translations of the doctor's findings, which the service reports in English.
import type { ExaminationStep } from "../api";
import { fill, language } from "../i18n";
import { advise } from "./advice";

// The finding, then what to do about it.
export const words: Record<string, { zh: [string, string?]; ja: [string, string?] }> = {
  config_good: { zh: ["连接器没有错误。"], ja: ["コネクターに誤りはありません。"] },
  name_good: { zh: ["{host} 可以解析。"], ja: ["{host} は名前解決できます。"] },
  name_address: { zh: ["{host} 是地址，无需解析。"], ja: ["{host} はアドレスのため、名前解決は不要です。"] },
  name_proxied: { zh: ["通过环境变量指定的代理访问 {host}。"], ja: ["環境変数のプロキシ経由で {host} に接続します。"] },
  name_unknown: { zh: ["无法解析 {host}。", "请检查 regionId 和 endpoint，以及服务所在机器的 DNS。带 -vpc 的接入点只能在同地域的 VPC 中使用。"], ja: ["{host} を名前解決できません。", "regionId と endpoint、およびサービスの DNS を確認してください。-vpc の付くエンドポイントは同じリージョンの VPC 内でのみ使えます。"] },
  connection_good: { zh: ["接入点可达（{tls}），证书有效。"], ja: ["エンドポイントに接続でき（{tls}）、証明書は有効です。"] },
  connection_plain: { zh: ["接入点可达，未使用 TLS（仅允许本机的接入点）。"], ja: ["エンドポイントに TLS なしで接続できます（このマシン上のものに限り許可）。"] },
  certificate_expires: { zh: ["接入点可达，但其证书将于 {date} 到期。", "如果接入点是您自己的，请更新证书。"], ja: ["エンドポイントに接続できますが、証明書が {date} に失効します。", "自社のエンドポイントであれば証明書を更新してください。"] },
  unreached: { zh: ["无法连接 {host}。", "请检查防火墙、安全组、NAT 网关和 HTTPS_PROXY。带 -vpc 的接入点只能在同地域的 VPC 中使用。"], ja: ["{host} に接続できません。", "ファイアウォール、セキュリティグループ、NAT ゲートウェイ、HTTPS_PROXY を確認してください。-vpc の付くエンドポイントは同じリージョンの VPC 内でのみ使えます。"] },
  tls_failed: { zh: ["无法与 {host} 建立 TLS 连接。", "请检查接入点的拼写、本机时钟和根证书。如有解密 TLS 的防火墙或代理，须在本机安装其证书。"], ja: ["{host} と TLS 接続を確立できません。", "エンドポイントのつづり、時計、ルート証明書を確認してください。TLS を復号する機器がある場合は、その証明書の導入が必要です。"] },
  unanswered: { zh: ["{host} 接受连接，但没有应答。", "请确认这是邮件推送的接入点，并检查中间的代理等设备。"], ja: ["{host} は接続を受け付けますが、応答しません。", "Direct Mail のエンドポイントであることと、途中にプロキシ等がないことを確認してください。"] },
  clock_good: { zh: ["时钟与阿里云一致。"], ja: ["時計は Aliyun と一致しています。"] },
  clock_off: { zh: ["时钟与阿里云相差 {skew}。", "请校准时钟，并用 NTP 保持同步。"], ja: ["時計が Aliyun と {skew} ずれています。", "時計を合わせ、NTP で同期してください。"] },
  clock_wrong: { zh: ["时钟与阿里云相差 {skew}，超过 15 分钟的请求会被拒绝。", "请校准时钟，并用 NTP 保持同步。"], ja: ["時計が Aliyun と {skew} ずれています。15 分以上ずれたリクエストは拒否されます。", "時計を合わせ、NTP で同期してください。"] },
  clock_unknown: { zh: ["接入点没有告知时间，无法比较时钟。"], ja: ["エンドポイントが時刻を示さないため、時計を比べられません。"] },
  clock_refused: { zh: ["阿里云认为请求的时间有误（{code}）。", "请校准时钟，并用 NTP 保持同步。"], ja: ["Aliyun はリクエストの時刻が誤りと判断しました（{code}）。", "時計を合わせ、NTP で同期してください。"] },
  key_good: { zh: ["阿里云认可该密钥，签名正确。"], ja: ["Aliyun はこのキーを認識し、署名は正しいです。"] },
  key_refused: { zh: ["阿里云不接受该访问密钥（{code}）。", "请重新填写 accessKeyId 和 accessKeySecret，前后不要有空格，并在 RAM 控制台查看该密钥是否启用。"], ja: ["Aliyun はこのアクセスキーを受け付けません（{code}）。", "accessKeyId と accessKeySecret を空白なしで入力し直し、RAM コンソールでキーが有効か確認してください。"] },
  busy: { zh: ["阿里云暂不接受该账号的更多请求（{code}）。", "请稍候再试。"], ja: ["Aliyun は現在このアカウントのリクエストを受け付けません（{code}）。", "しばらくして再試行してください。"] },
  role_key_refused: { zh: ["阿里云不接受该 RAM 角色取得的密钥（{code}）。", "下一次调用会重新获取密钥。如果仍被拒绝，请在 RAM 控制台查看该角色是否还存在，并检查中间的代理是否改动了请求。"], ja: ["Aliyun は RAM ロールから取得したキーを受け付けません（{code}）。", "次の呼び出しで新しいキーを取得します。それでも拒否される場合は、RAM コンソールでロールがまだ存在するか、また途中のプロキシがリクエストを書き換えていないか確認してください。"] },
  unsigned: { zh: ["没有可用于签名的凭据。", "请检查 accessKeyId 和 accessKeySecret，或凭据的来源。"], ja: ["署名に使う認証情報がありません。", "accessKeyId と accessKeySecret、または認証情報の取得元を確認してください。"] },
  no_answer: { zh: ["邮件推送没有响应签名的请求。", "请检查本机与阿里云之间的代理或网关，然后重试。"], ja: ["署名したリクエストに Direct Mail の応答がありません。", "途中のプロキシやゲートウェイを確認し、再試行してください。"] },
  send_allowed: { zh: ["该密钥可以发信（dm:SingleSendMail）。"], ja: ["このキーには送信権限があります（dm:SingleSendMail）。"] },
  send_denied: { zh: ["该密钥无权发信（{code}）。", "请为其 RAM 用户授予 dm:SingleSendMail。"], ja: ["このキーには送信権限がありません（{code}）。", "RAM ユーザーに dm:SingleSendMail を付与してください。"] },
  not_permitted: { zh: ["该密钥无权查看；这不影响发信。", "如需检查更多，请授予 {permission}。"], ja: ["このキーには閲覧権限がありません。送信には支障ありません。", "さらに確認するには {permission} を付与してください。"] },
  account_good: { zh: ["账号正常：每日 {daily} 封，每月 {month} 封，信誉等级 {level}（最高 {maxLevel}）。"], ja: ["アカウントは正常です：1 日 {daily} 通、1 か月 {month} 通、信用レベル {level}（最高 {maxLevel}）。"] },
  account_stopped: { zh: ["账号无法发信：{conditions}。", "frozen（冻结）、restricted（限制外发）请提交工单；overdue（欠费）请付清；deleted（已删除）请在控制台重新开通邮件推送。"], ja: ["アカウントは送信できません：{conditions}。", "frozen（凍結）と restricted（制限）はチケットで、overdue（未払い）は支払いで、deleted（削除済み）はコンソールでの再有効化で解消します。"] },
  quota_none: { zh: ["账号的额度为 0。", "邮件推送控制台显示额度及原因；可提交工单申请。"], ja: ["アカウントの送信枠が 0 です。", "コンソールで枠と理由を確認し、チケットで申請してください。"] },
  sender_good: { zh: ["发信地址 {sender} 在 {region} 存在且正常。"], ja: ["送信元アドレス {sender} は {region} に存在し、有効です。"] },
  sender_frozen: { zh: ["发信地址 {sender} 已冻结。", "控制台显示原因，可提交工单解冻；在此之前请换用其他发信地址。"], ja: ["送信元アドレス {sender} は凍結されています。", "コンソールで理由を確認し、チケットで解除してください。それまでは別のアドレスを使ってください。"] },
  sender_batch: { zh: ["发信地址 {sender} 的类型是批量邮件。", "请新建触发邮件类型的发信地址：验证码邮件属于此类。"], ja: ["送信元アドレス {sender} はバッチメール用です。", "トリガーメール用のアドレスを作成してください。認証メールはそれに当たります。"] },
  sender_elsewhere: { zh: ["发信地址 {sender} 不在 {region}，而在 {found}。", "请将 regionId 设为 {found}（如设有 endpoint 也一并更改），或在 {region} 新建该地址。"], ja: ["送信元アドレス {sender} は {region} になく、{found} にあります。", "regionId を {found} に設定する（endpoint があれば併せて変更する）か、{region} にアドレスを作成してください。"] },
  sender_missing: { zh: ["发信地址 {sender} 在 {region} 不存在，在其他地域也未找到。", "请检查 accountName 的拼写，或在该地域的控制台先建域名，再建触发邮件类型的发信地址。"], ja: ["送信元アドレス {sender} は {region} になく、他のリージョンでも見つかりません。", "accountName のつづりを確認するか、そのリージョンのコンソールでドメイン、続いてトリガーメール用のアドレスを作成してください。"] },
  domain_good: { zh: ["域名 {domain} 已验证。"], ja: ["ドメイン {domain} は検証済みです。"] },
  domain_missing: { zh: ["域名 {domain} 在 {region} 不存在。", "请在该地域的控制台添加，并设置所示的 DNS 记录。"], ja: ["ドメイン {domain} は {region} にありません。", "そのリージョンのコンソールで追加し、示される DNS レコードを設定してください。"] },
  domain_unlisted: { zh: ["域名 {domain} 未列在 {region}，但其发信地址在。", "请在控制台查看该域名。"], ja: ["送信元アドレスはありますが、ドメイン {domain} が {region} の一覧にありません。", "コンソールでドメインを確認してください。"] },
  domain_unverified: { zh: ["域名 {domain} 未通过验证。", "请按控制台所示设置 DNS 记录，再在控制台验证。"], ja: ["ドメイン {domain} は検証されていません。", "コンソールのとおりに DNS レコードを設定し、検証してください。"] },
  domain_records: { zh: ["域名 {domain} 已验证，但缺少记录 {records}。", "请按控制台所示设置该记录，否则邮件可能进入垃圾箱。"], ja: ["ドメイン {domain} は検証済みですが、レコード {records} が不足しています。", "コンソールのとおりに設定してください。ないと迷惑メールになることがあります。"] },
  reply_own: { zh: ["回信发往 {reply}（replyAddress）。"], ja: ["返信は {reply}（replyAddress）に届きます。"] },
  reply_sender: { zh: ["回信发往发信地址；可用 replyAddress 另行指定。"], ja: ["返信は送信元アドレスに届きます。replyAddress で変更できます。"] },
  reply_unverified: { zh: ["控制台中的回信地址 {reply} 未验证。邮件不带它发出，回信发往发信地址。", "请通过控制台发出的邮件验证，或在连接器中设置 replyAddress。"], ja: ["コンソールの返信先 {reply} は未検証です。メールはそれなしで送られ、返信は送信元アドレスに届きます。", "コンソールからのメールで検証するか、replyAddress を設定してください。"] },
  trial_refused: { zh: ["探测请求因此被拒绝（{code}）：{message}"], ja: ["試験リクエストがこれを理由に拒否されました（{code}）：{message}"] },
  send_refused: { zh: ["邮件推送拒绝了该连接器的请求（{code}）：{message}"], ja: ["Direct Mail はこのコネクターのリクエストを拒否しました（{code}）：{message}"] },
  probe_sent: { zh: ["该密钥可以发信。用于探测的无效收件人请求意外地被接受了。"], ja: ["このキーには送信権限があります。無効な宛先による試験リクエストが、予期せず受け付けられました。"] },
  not_answered: { zh: ["查询失败（{code}）：{message}", "请稍后重试。"], ja: ["照会の結果が得られませんでした（{code}）：{message}", "しばらくして再試行してください。"] },
  needs_connection: { zh: ["未检查：无法连接接入点。"], ja: ["未確認：エンドポイントに接続できません。"] },
  needs_key: { zh: ["未检查：用该密钥的请求都无法通过。"], ja: ["未確認：このキーのリクエストが通りません。"] },
  needs_sender: { zh: ["未检查：发信地址在其他地域。"], ja: ["未確認：送信元アドレスが別のリージョンにあります。"] },
};

/** The finding and its cure, translated where possible. */
export function told(step: ExaminationStep): { detail: string; cure?: string } {
  const reader = language();
  const known = reader === "en" ? undefined : words[step.finding]?.[reader];
  if (!known) return { detail: step.detail, cure: step.cure };
  // Refusals of Aliyun have advice of their own.
  const advice = step.status === "problem" && step.code ? advise({ code: "provider_rejected", said: `direct mail: operator: ${step.code}` }).steps.join(" ") : undefined;
  const [detail, cure] = known;
  return { detail: fill(detail, step.values), cure: cure ? fill(cure, step.values) : advice };
}
