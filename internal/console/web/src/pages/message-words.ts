// Names of a message's states and codes, and formats.
import type { ProblemCode, State } from "../api";
import { languageTag, texts } from "../i18n";

/** Codes of requests that never become a message. */
const requestCodes = [
  "invalid_request", "unauthorized", "forbidden", "not_found", "method_not_allowed", "factory_not_found", "unknown_factory", "connector_exists", "connector_reserved",
  "connector_read_only", "precondition_failed", "email_template_not_found", "filter_required", "message_not_found", "payload_gone", "not_retryable",
] as const satisfies ProblemCode[];

export type MessageCode = Exclude<ProblemCode, (typeof requestCodes)[number]>;

const t = texts<State | MessageCode>({
  en: {
    queued: "Waiting", sending: "Sending", sent: "Sent", failed: "Not sent", dead: "Given up", expired: "Expired", unknown: "Unknown",
    invalid_recipient: "not a mail address", template_not_found: "no template", variable_missing: "variable missing", provider_busy: "throttled by Aliyun", quota_exhausted: "quota used up",
    provider_rejected: "rejected by Aliyun", recipient_rejected: "recipient rejected by Aliyun", content_rejected: "content rejected", provider_unavailable: "Aliyun unreachable",
    outcome_unknown: "no clear answer", rate_limited: "rate limit reached", overloaded: "overloaded", superseded: "superseded by a newer code", connector_not_found: "no connector", unavailable: "storage unreachable",
    internal: "internal error", in_progress: "already in progress", idempotency_mismatch: "Idempotency-Key reused", invalid_config: "connector has errors",
  },
  zh: {
    queued: "等待发送", sending: "正在发送", sent: "已发送", failed: "未发送", dead: "已放弃", expired: "已过期", unknown: "结果不明",
    invalid_recipient: "不是邮箱地址", template_not_found: "没有模板", variable_missing: "缺少变量", provider_busy: "阿里云限流", quota_exhausted: "额度用完",
    provider_rejected: "被阿里云拒绝", recipient_rejected: "阿里云拒绝收件人", content_rejected: "邮件内容被拒绝", provider_unavailable: "无法连接阿里云",
    outcome_unknown: "没有明确结果", rate_limited: "达到频率限制", overloaded: "服务繁忙", superseded: "已被更新的验证码取代", connector_not_found: "没有连接器", unavailable: "无法访问存储",
    internal: "内部错误", in_progress: "正在处理", idempotency_mismatch: "Idempotency-Key 重复使用", invalid_config: "连接器有错误",
  },
  ja: {
    queued: "送信待ち", sending: "送信中", sent: "送信済み", failed: "未送信", dead: "送信中止", expired: "期限切れ", unknown: "結果不明",
    invalid_recipient: "メールアドレスではない", template_not_found: "テンプレートなし", variable_missing: "変数が不足", provider_busy: "Aliyun の流量制限", quota_exhausted: "送信枠切れ",
    provider_rejected: "Aliyun が拒否", recipient_rejected: "Aliyun が宛先を拒否", content_rejected: "内容が拒否されました", provider_unavailable: "Aliyun に接続できず",
    outcome_unknown: "明確な応答なし", rate_limited: "上限に到達", overloaded: "混雑", superseded: "新しいコードに置き換え", connector_not_found: "コネクターなし", unavailable: "ストレージに接続できず",
    internal: "内部エラー", in_progress: "処理中", idempotency_mismatch: "Idempotency-Key の再利用", invalid_config: "コネクターに誤り",
  },
});

/** States in groups, few enough for a chart. */
export const outcomes = ["failed", "unknown", "sent", "waiting"] as const;
export type Outcome = (typeof outcomes)[number];

export const outcomeOf: Record<State, Outcome> = {
  queued: "waiting", sending: "waiting", sent: "sent", failed: "failed", dead: "failed", expired: "failed", unknown: "unknown",
};

export const tones = { sent: "good", failed: "bad", unknown: "warn", waiting: "calm" } as const satisfies Record<Outcome, string>;

export function stateName(state: State): string {
  return t(state);
}

/** The code in a few words. */
export function reasonName(code: ProblemCode): string {
  const known = requestCodes.every((c) => c !== code);
  return known ? t(code as MessageCode) : code;
}

/** "340 ms", "2.4 s" */
export function formatDuration(milliseconds: number): string {
  const short = milliseconds < 1000;
  const long = milliseconds >= 120_000;
  return new Intl.NumberFormat(languageTag(), {
    style: "unit", unitDisplay: "short", unit: short ? "millisecond" : long ? "minute" : "second", maximumFractionDigits: short ? 0 : 1,
  }).format(short ? milliseconds : milliseconds / (long ? 60_000 : 1000));
}

/** "10 minutes" */
export function formatSpan(seconds: number): string {
  const units: [string, number][] = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const [unit, size] = units.find(([, n]) => seconds >= n && seconds % n === 0) ?? ["second", 1];
  return new Intl.NumberFormat(languageTag(), { style: "unit", unit, unitDisplay: "long" }).format(seconds / size);
}
