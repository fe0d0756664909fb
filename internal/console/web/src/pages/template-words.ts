// The service speaks English. What it says of templates is told here in the
// reader's language; a sentence that is not known stays as it is.
import { language } from "../i18n";
import { detailText } from "./config-words";

const joined: [RegExp, string, string][] = [
  [/^Test is Logto's former name for Generic\.$/, "Test 是 Generic 在 Logto 中的旧名。", "Test は Logto での Generic の旧名です。"],
  [/^There is no template for this usage type; those for Generic stand in\.$/, "该用途没有模板，由 Generic 的模板代替。", "この用途のテンプレートがないため、Generic のもので代用します。"],
  [/^No template for this usage type is for one language only\.$/, "该用途的模板都不限定语言。", "この用途のテンプレートは、いずれも言語を限定していません。"],
  [/^The message asks for no language\.$/, "邮件请求没有指定语言。", "リクエストに言語の指定がありません。"],
  [/^Only the first languages were looked at\.$/, "只查看了前几种语言。", "先頭の言語だけを確認しました。"],
  [/^(locale|uiLocales) has a malformed language tag, which is skipped\.$/, "$1 中的语言标签格式有误，已跳过。", "$1 の言語タグの形式が正しくないため、無視しました。"],
  [/^(locale|uiLocales) (\S+): there is no template for (\S+) in this language\.$/, "$1 $2：$3 没有该语言的模板。", "$1 $2：$3 にこの言語のテンプレートはありません。"],
  [/^(locale|uiLocales) (\S+): there is a template in this language, one of the email templates\.$/, "$1 $2：共享模板中有该语言的模板。", "$1 $2：共有テンプレートにこの言語のものがあります。"],
  [/^(locale|uiLocales) (\S+): there is a template in this language\.$/, "$1 $2：有该语言的模板。", "$1 $2：この言語のテンプレートがあります。"],
  [/^(locale|uiLocales) (\S+): the template in (\S+) fits, one of the email templates\.$/, "$1 $2：共享模板中的 $3 模板适用。", "$1 $2：共有テンプレートの $3 のものが適しています。"],
  [/^(locale|uiLocales) (\S+): the template in (\S+) fits\.$/, "$1 $2：$3 的模板适用。", "$1 $2：$3 のテンプレートが適しています。"],
  [/^The template without a language stands in.*$/, "由不限语言的模板代替。", "言語を限定しないテンプレートで代用します。"],
  [/^The template in the default language stands in.*$/, "由默认语言的模板代替。", "既定の言語のテンプレートで代用します。"],
  [/^The template listed first stands in.*$/, "由列表中的第一个模板代替。", "一覧の最初のテンプレートで代用します。"],
  [/^the sender's name had (\d+) characters and was cut to (\d+)$/, "发件人名称有 $1 个字符，已截为 $2 个", "差出人名が $1 文字あったため、$2 文字に切り詰めました"],
  [/^the subject had (\d+) characters and was cut to (\d+)$/, "主题有 $1 个字符，已截为 $2 个", "件名が $1 文字あったため、$2 文字に切り詰めました"],
  [/^the template's replyTo did not become one mail address.*$/, "模板的 replyTo 没有得出一个邮箱地址，改用连接器的 replyAddress", "テンプレートの replyTo が 1 つのメールアドレスにならなかったため、コネクタの replyAddress を使います"],
  [/^the attribute (\S+) of (\S+) became #: (\S+) is not allowed$/, "$2 的属性 $1 变成了 #：不允许 $3", "$2 の属性 $1 は # になりました：$3 は使えません"],
  [/^shows no code.*$/, "没有显示验证码：主题和正文里都没有 {{code}}", "コードが表示されません：件名にも本文にも {{code}} がありません"],
  [/^Logto does not send (\{\{.+\}\}) with (.+); did you mean (.+)\?$/, "$1 不随此类邮件发送；是否想写 $3？", "$1 はこの種類のメールでは送られません。$3 のことですか？"],
  [/^Logto does not send (\{\{.+\}\}) with (.+); it may send (.+)$/, "$1 不随此类邮件发送；可能发送的有：$3", "$1 はこの種類のメールでは送られません。送られる可能性があるもの：$3"],
  [/^says "(.+)", but codeLifetime is (.+) by default; both must be .*$/, "写着“$1”，但未设 codeLifetime，即 $2；两处都应与 Logto 的验证码策略一致", "「$1」とありますが、codeLifetime は未設定で $2 です。どちらも Logto の認証コードのポリシーに揃えてください"],
  [/^says "(.+)", but codeLifetime is (.+); both must be .*$/, "写着“$1”，但 codeLifetime 是 $2；两处都应与 Logto 的验证码策略一致", "「$1」とありますが、codeLifetime は $2 です。どちらも Logto の認証コードのポリシーに揃えてください"],
  [/^is not a usage type that Logto sends; did you mean (.+)\?$/, "不是 Logto 发送的用途；是否想写 $1？", "Logto が送る用途ではありません。$1 のことですか？"],
  [/^is never used: .*$/, "永远不会用到：前面已有同一用途和语言的模板", "使われません：同じ用途と言語のテンプレートが先にあります"],
  [/^has (\d+) characters besides its variables; .* only (\d+)$/, "除变量外有 $1 个字符；Direct Mail 的部分文档只允许 $2 个", "変数を除いて $1 文字あります。Direct Mail の一部の資料では $2 文字までです"],
  [/^has (\d+) bytes; mail programs cut mails of that size$/, "有 $1 字节；邮件程序会截断这么大的邮件", "$1 バイトあります。この大きさのメールはメールソフトで途中までしか表示されません"],
  [/^has (\d+) characters and will be cut to (\d+)$/, "有 $1 个字符，会被截为 Direct Mail 允许的 $2 个", "$1 文字あり、Direct Mail が受け付ける $2 文字に切り詰められます"],
  [/^(.+) is no placeholder and stays as written$/, "$1 不是占位符，原样保留", "$1 はプレースホルダーではないため、そのまま残ります"],
  [/^(.+) has no counterpart that it nests with, and stays as written$/, "$1 没有与之配对的标签，原样保留", "$1 には対になるタグがないため、そのまま残ります"],
  [/^(.+) stands in (.+), where sections do not work, and stays as written$/, "$1 位于 $2 中，那里不能用区段，原样保留", "$1 は $2 の中にあり、そこではセクションが使えないため、そのまま残ります"],
  [/^(.+) stands in (.+): nothing of its value is shown there$/, "$1 位于 $2 中：那里不显示它的值", "$1 は $2 の中にあり、値は表示されません"],
  [/^(.+) stands in (.+): only letters and digits of its value are shown there$/, "$1 位于 $2 中：那里只显示值中的字母和数字", "$1 は $2 の中にあり、値のうち英数字だけが表示されます"],
  [/^is filled in as it is .*$/, "原样填入值（\"escape\": \"none\"）：谁能决定名称，谁就能决定邮件的 HTML", "値がそのまま入ります（\"escape\": \"none\"）：名前を決められる人が、メールの HTML も決められます"],
  [/^is not used, as the content is plain text already$/, "不会用到，因为正文已是纯文本", "本文がすでにプレーンテキストのため、使われません"],
  [/^is missing.*$/, "缺少这一项", "入力が必要です"],
];

export function retell(sentence: string): string {
  const now = language();
  if (now === "en") return sentence;
  for (const [pattern, zh, ja] of joined) {
    if (pattern.test(sentence)) return sentence.replace(pattern, now === "zh" ? zh : ja);
  }
  return detailText(sentence);
}
