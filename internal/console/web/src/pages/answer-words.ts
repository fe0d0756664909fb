// What the service says of an answer that did not come, or was not Aliyun's, in
// the reader's language.
import { language } from "../i18n";

const joined: Record<string, [string, string]> = {
  "the answer is not one of Direct Mail's": ["收到的答复不是邮件推送发出的", "応答が Direct Mail のものではありません"],
  "the answer is longer than 1 MiB": ["答复超过 1 MiB", "応答が 1 MiB を超えています"],
  "the caller gave up": ["调用方放弃了等待", "呼び出し側が待つのをやめました"],
  "the endpoint's name could not be looked up": ["无法解析接入点的域名", "エンドポイントの名前を解決できませんでした"],
  "there was no connection in time": ["未能及时建立连接", "時間内に接続できませんでした"],
  "there was no answer in time": ["未及时收到答复", "時間内に応答がありませんでした"],
  "connection refused": ["连接被拒绝", "接続が拒否されました"],
  "connection reset by peer": ["连接被对方重置", "接続が相手側でリセットされました"],
  "no route to host": ["没有到达主机的路由", "ホストへの経路がありません"],
  "network is unreachable": ["网络不可达", "ネットワークに到達できません"],
  "the connection failed or was closed": ["连接失败或被关闭", "接続に失敗したか、閉じられました"],
  "the endpoint's certificate is signed by an unknown authority": ["接入点的证书由未知机构签发", "エンドポイントの証明書の発行元が不明です"],
  "the endpoint's certificate is for another host": ["接入点的证书属于另一主机", "エンドポイントの証明書は別のホストのものです"],
  "the endpoint's certificate has expired, or the clock of this machine is wrong": ["接入点的证书已过期，或本机时钟不准", "エンドポイントの証明書が期限切れか、このマシンの時計がずれています"],
  "the endpoint's certificate is not valid": ["接入点的证书无效", "エンドポイントの証明書が無効です"],
  "the endpoint does not speak TLS": ["接入点不支持 TLS", "エンドポイントが TLS に対応していません"],
  "the endpoint refused the TLS connection": ["接入点拒绝了 TLS 连接", "エンドポイントが TLS 接続を拒否しました"],
};

export function retellAnswer(message: string): string {
  const words = joined[message];
  if (!words) return message;
  return { en: message, zh: words[0], ja: words[1] }[language()];
}
