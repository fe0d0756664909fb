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
    SignIn: "登录", Register: "注册", ForgotPassword: "忘记密码", Generic: "通用", OrganizationInvitation: "组织邀请",
    UserPermissionValidation: "确认本人邮箱", BindNewIdentifier: "绑定新邮箱", MfaVerification: "多因素验证", BindMfa: "绑定多因素验证", other: "其他用途", any: "任何语言",
  },
  ja: {
    SignIn: "サインイン", Register: "登録", ForgotPassword: "パスワードを忘れた場合", Generic: "汎用", OrganizationInvitation: "組織への招待",
    UserPermissionValidation: "本人のアドレス確認", BindNewIdentifier: "新しいアドレスの登録", MfaVerification: "多要素認証", BindMfa: "多要素認証の設定", other: "その他の用途", any: "すべての言語",
  },
});

export const messageTypes: MessageType[] = [...usageTypeValues, "other"];

export function usageTypeName(usageType: string): string {
  const known = messageTypes.find((type) => type === usageType);
  return known ? t(known) : usageType;
}

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

// In short what was recorded: English, Chinese, Japanese.
const flowNames: Record<string, [string, string, string]> = {
  "account-bind-mfa": ["Account page, second factor", "账户页：绑定多因素验证", "アカウントページ：多要素認証の設定"],
  "account-bind-new-identifier": ["Account page, another address", "账户页：换用其他邮箱", "アカウントページ：別のアドレス"],
  "account-user-permission-validation": ["Account page, one's own address", "账户页：本人邮箱", "アカウントページ：本人のアドレス"],
  "experience-bind-mfa-sign-in": ["Second factor demanded at sign-in", "登录时要求绑定", "サインイン時に要求"],
  "experience-forgot-password": ["Password forgotten by a known user", "已有用户忘记密码", "既存ユーザーがパスワードを忘れた場合"],
  "experience-mfa-verification": ["Second factor after the password", "输入密码后的第二步", "パスワード入力後の二段階目"],
  "experience-register-accept-language": ["Browser in Taiwan's Chinese", "浏览器为繁体中文（台湾）", "ブラウザーが繁体字中国語（台湾）"],
  "experience-register-ui-locales": ["Application asks for French", "应用要求法语", "アプリがフランス語を要求"],
  "experience-register": ["New user, English", "新用户，英语", "新規ユーザー（英語）"],
  "experience-sign-in-branded-app": ["Application with a logo of its own", "带自有徽标的应用", "独自のロゴを持つアプリ"],
  "experience-sign-in-forwarded-ip": ["Behind a proxy", "经由代理", "プロキシ経由"],
  "experience-sign-in-organization": ["Within an organization", "在组织内", "組織内でのサインイン"],
  "experience-sign-in-resend": ["Code asked for twice", "再次请求验证码", "コードの再送"],
  "experience-sign-in": ["Known user", "已有用户", "既存ユーザー"],
  "mgmt-connector-test-empty-authorization": ["Test mail, empty authorization", "测试邮件，授权为空", "テストメール（認可が空）"],
  "mgmt-connector-test-locale": ["Test mail with a language", "指定语言的测试邮件", "言語を指定したテストメール"],
  "mgmt-connector-test-no-authorization": ["Test mail, no authorization", "测试邮件，无授权", "テストメール（認可なし）"],
  "mgmt-connector-test": ["Test mail of Logto's console", "Logto 控制台的测试邮件", "Logto コンソールのテストメール"],
  "mgmt-verification-code": ["Code through the management API", "经管理 API 请求的验证码", "管理 API で要求したコード"],
  "org-invitation-code": ["With a code instead of a link", "用验证码代替链接", "リンクの代わりにコード"],
  "org-invitation-inviter": ["With inviter and values of the program's own", "有邀请人和程序自带的值", "招待者と独自の値つき"],
  "org-invitation": ["Without inviter", "没有邀请人", "招待者なし"],
};

export function flowName(flow: Flow): string {
  return flowNames[flow.id]?.[{ en: 0, zh: 1, ja: 2 }[language()]] ?? flow.about;
}
