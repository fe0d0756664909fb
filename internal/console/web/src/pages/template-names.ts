// Names of usage types, languages and flows, in the reader's language.
import type { Flow } from "virtual:flows";
import { type MessageType, usageTypeValues } from "../api";
import { language, languageTag, texts } from "../i18n";

const t = texts<MessageType | "any">({
  en: {
    SignIn: "Sign-in", Register: "Sign-up", ForgotPassword: "Password reset", Generic: "Generic", OrganizationInvitation: "Invitation to an organization",
    UserPermissionValidation: "Confirm identity", BindNewIdentifier: "New email address", MfaVerification: "Two-step verification", BindMfa: "Set up two-step verification", other: "Other types", any: "any language",
  },
  zh: {
    SignIn: "登录", Register: "注册", ForgotPassword: "重置密码", Generic: "通用", OrganizationInvitation: "组织邀请",
    UserPermissionValidation: "确认身份", BindNewIdentifier: "绑定邮箱", MfaVerification: "两步验证", BindMfa: "设置两步验证", other: "其他用途", any: "任何语言",
  },
  ja: {
    SignIn: "ログイン", Register: "アカウント登録", ForgotPassword: "パスワード再設定", Generic: "汎用", OrganizationInvitation: "組織への招待",
    UserPermissionValidation: "本人確認", BindNewIdentifier: "メールアドレスの確認", MfaVerification: "2 段階認証", BindMfa: "2 段階認証の設定", other: "その他の用途", any: "すべての言語",
  },
});

export const messageTypes: MessageType[] = [...usageTypeValues, "other"];

export function usageTypeName(usageType: string): string {
  const known = messageTypes.find((type) => type === usageType);
  return known ? t(known) : usageType;
}

export const commonLanguages = ["en", "zh-CN", "zh-TW", "ja", "ko", "de", "fr", "es"];

export function languageName(tag: string | undefined): string {
  if (!tag) return t("any");
  try {
    return new Intl.DisplayNames(languageTag(), { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** "Sign-in · Japanese (ja)" */
export function templateName(template: { usageType: string; languageTag?: string }): string {
  const tag = template.languageTag ? ` (${template.languageTag})` : "";
  return `${usageTypeName(template.usageType)} · ${languageName(template.languageTag)}${tag}`;
}

// Recorded flows: English, Chinese, Japanese.
const flowNames: Record<string, [string, string, string]> = {
  "account-bind-mfa": ["Account page, two-step verification", "账户页：设置两步验证", "アカウントページ：2 段階認証の設定"],
  "account-bind-new-identifier": ["Account page, another address", "账户页：绑定其他邮箱", "アカウントページ：別のアドレス"],
  "account-user-permission-validation": ["Account page, current address", "账户页：当前邮箱", "アカウントページ：現在のアドレス"],
  "experience-bind-mfa-sign-in": ["Two-step verification required at sign-in", "登录时要求设置两步验证", "ログイン時に設定を要求"],
  "experience-forgot-password": ["Existing user", "已有用户", "既存ユーザー"],
  "experience-mfa-verification": ["After the password", "输入密码后", "パスワード入力後"],
  "experience-register-accept-language": ["Browser in Traditional Chinese (Taiwan)", "浏览器为繁体中文（台湾）", "ブラウザーが繁体字中国語（台湾）"],
  "experience-register-ui-locales": ["Application requests French", "应用要求法语", "アプリがフランス語を要求"],
  "experience-register": ["New user, English", "新用户，英语", "新規ユーザー（英語）"],
  "experience-sign-in-branded-app": ["Application with its own logo", "有自己徽标的应用", "独自のロゴを持つアプリ"],
  "experience-sign-in-forwarded-ip": ["Behind a proxy", "经由代理", "プロキシ経由"],
  "experience-sign-in-organization": ["Within an organization", "在组织内", "組織内でのログイン"],
  "experience-sign-in-resend": ["Code requested twice", "再次请求验证码", "コードの再送"],
  "experience-sign-in": ["Existing user", "已有用户", "既存ユーザー"],
  "mgmt-connector-test-empty-authorization": ["Test mail, empty Authorization", "测试邮件，Authorization 为空", "テストメール（Authorization が空）"],
  "mgmt-connector-test-locale": ["Test mail with a language", "指定语言的测试邮件", "言語を指定したテストメール"],
  "mgmt-connector-test-no-authorization": ["Test mail, no Authorization", "测试邮件，无 Authorization", "テストメール（Authorization なし）"],
  "mgmt-connector-test": ["Test mail from Logto's console", "Logto 控制台的测试邮件", "Logto コンソールのテストメール"],
  "mgmt-verification-code": ["Code requested through the management API", "通过管理 API 请求的验证码", "管理 API で要求したコード"],
  "org-invitation-code": ["With a code instead of a link", "用验证码代替链接", "リンクの代わりにコード"],
  "org-invitation-inviter": ["With inviter and custom values", "有邀请人和自定义的值", "招待者と独自の値つき"],
  "org-invitation": ["Without inviter", "没有邀请人", "招待者なし"],
};

export function flowName(flow: Flow): string {
  return flowNames[flow.id]?.[{ en: 0, zh: 1, ja: 2 }[language()]] ?? flow.about;
}
