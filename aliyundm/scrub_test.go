package aliyundm_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"dmconnector/aliyundm"
)

func TestScrub(t *testing.T) {
	tests := map[string]struct{ message, want string }{
		"plain":                   {"The specified mail address is not found.", "The specified mail address is not found."},
		"quoted parameter":        {`The parameter "HtmlBody" is not valid.`, `The parameter "HtmlBody" is not valid.`},
		"address":                 {"user@example.com is invalid", "[…] is invalid"},
		"address of common words": {"email@domain.name is invalid", "[…] is invalid"},
		"encoded common words":    {"the%code+is invalid", "[…] invalid"},
		"bare domain":             {"domain example.com is invalid", "domain […] is invalid"},
		"code":                    {"text 123456 refused", "text […] refused"},
		"code in pieces":          {"text 123 456 refused", "text […] refused"},
		"code in letters":         {"text KXQZ-RTPL refused", "text […] refused"},
		"encoded":                 {"To=user%40example.com refused", "[…] refused"},
		"control":                 {"a\x1b[31mb\x00 \x07 is\r\nnot", "[…] is not"},
		"other script":            {"发信地址 is 小红", "[…] is […]"},
		"long word":               {"is " + strings.Repeat("a-", 40) + " not", "is […] not"},
		"string to sign": {
			"Specified signature is not matched with our calculation. server string to sign is:POST&%2F&AccessKeyId%3Dtestid%26Subject%3DYour%2520code",
			"Specified signature is not matched with our calculation. server string to sign […]",
		},
		"string to sign, version 3": {
			"Specified signature does not match our calculation. server StringToSign is [ACS3-HMAC-SHA256\n6f63ab]",
			"Specified signature does not match our calculation. server […] is […]",
		},
		"nothing": {" \n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := aliyundm.Scrub(tt.message); got != tt.want {
				t.Errorf("scrub = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLongMessageIsCut(t *testing.T) {
	got := aliyundm.Scrub(strings.Repeat("The specified subject is invalid. ", 100))
	if n := utf8.RuneCountInString(got); n > 200 || n < 180 || !strings.HasSuffix(got, "…") {
		t.Errorf("scrub keeps %d characters: %q", n, got)
	}
}

// FuzzScrub: whatever a message holds, what is left of it is harmless.
func FuzzScrub(f *testing.F) {
	for _, row := range readCodes(f) {
		f.Add(row.message)
	}
	f.Add("user@example.com 1234 %31%32%33%34 \x00\u202e 验证码")
	harmless := regexp.MustCompile(`^[A-Za-z0-9.,:;!?()\[\]"'\-/_ …]*$`)
	number := regexp.MustCompile(`[0-9]+`)
	f.Fuzz(func(t *testing.T, message string) {
		got := aliyundm.Scrub(message)
		if !harmless.MatchString(got) || utf8.RuneCountInString(got) > 201 {
			t.Errorf("scrub(%q) = %q", message, got)
		}
		for _, n := range number.FindAllString(got, -1) {
			if n != "15" && n != "100" && n != "192" && n != "256" {
				t.Errorf("scrub(%q) = %q, with the number %s", message, got, n)
			}
		}
	})
}

// echoes are ways in which a message may repeat a text.
var echoes = map[string]func(string) string{
	"plain":     func(s string) string { return s },
	"upper":     strings.ToUpper,
	"query":     url.QueryEscape,
	"path":      url.PathEscape,
	"twice":     func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"HTML":      html.EscapeString,
	"JSON":      func(s string) string { b, _ := json.Marshal(s); return string(b) },
	"base64":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64url": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"quoted":    func(s string) string { return `"` + s + `",` },
	"parameter": func(s string) string { return "Subject:" + s + "." },
	"string to sign": func(s string) string {
		return "is:" + stringToSign("POST", map[string]string{"HtmlBody": s, "Action": "SingleSendMail"})
	},
}

// FuzzNothingOfTheMailIsShown plants texts in mail and key, lets the provider
// repeat them in every way, and looks for them in everything an error shows.
func FuzzNothingOfTheMailIsShown(f *testing.F) {
	f.Add("QZX7marker", "The specified subject is invalid.")
	f.Add("小红", "x")
	f.Add("947113", "server string to sign is:")
	f.Add("KXQZRTPL", "")
	f.Fuzz(func(t *testing.T, mark, around string) {
		if !telling(mark) {
			return
		}
		mail := &aliyundm.Mail{
			AccountName: mark + "@example.com", FromAlias: mark, To: mark + "@example.org", Subject: mark,
			HTMLBody: "<p>" + mark + "</p>", TextBody: mark, ReplyAddress: mark + "@example.net", TagName: mark,
		}
		for name, echo := range echoes {
			message := around + " " + echo(mark) + " " + echo(mail.To) + " " + around
			body, err := json.Marshal(map[string]string{"Code": "SignatureDoesNotMatch", "Message": message})
			if err != nil {
				t.Fatal(err)
			}
			client := mustClient(t, aliyundm.Options{
				Credentials: aliyundm.Credentials{AccessKeyID: "id" + mark + "x", AccessKeySecret: "s" + mark + "x"},
				HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					return reply(http.StatusBadRequest, string(body)), nil
				})},
			})
			mail.To = strings.ReplaceAll(mail.To, ",", "")
			receipt, err := client.SingleSendMail(t.Context(), mail)
			e := mustFail(t, receipt, err)
			for _, shown := range printAll(t, e) {
				if strings.Contains(strings.ToLower(shown), strings.ToLower(mark)) {
					t.Errorf("%s echo of %q is shown: %s", name, mark, shown)
				}
			}
		}
	})
}

// telling reports whether a text would tell something if it were shown: that it
// is no part of what errors show anyway.
func telling(mark string) bool {
	frame := `SignatureDoesNotMatch aliyundm.Error request_id status class operator direct mail: (HTTP 400) code level INFO msg text ` +
		`json value time message &{[…]}=\":,0x #v<nil>%!q(int=)(*)'õƐ'`
	if len([]rune(mark)) < 4 || !utf8.ValidString(mark) || strings.ContainsAny(mark, ".,:;!?()[]\"'-/_ \t\r\n\\") {
		return false
	}
	return aliyundm.Scrub(mark) == "[…]" && !strings.Contains(strings.ToLower(frame), strings.ToLower(mark))
}
