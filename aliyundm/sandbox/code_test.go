package sandbox

import (
	"strings"
	"testing"
)

func TestCode(t *testing.T) {
	tests := map[string]struct{ subject, text, html, want string }{
		"subject first":                 {"1111 is your code", "2222", "<p>3333</p>", "1111"},
		"then the text":                 {"Your code", "it is 2222", "<p>3333</p>", "2222"},
		"then the HTML":                 {"Your code", "", "<p>3333</p>", "3333"},
		"none":                          {"Hello", "there", "<p>123</p>", ""},
		"Chinese beside it":             {"", "您的验证码123456，5分钟内有效", "", "123456"},
		"Chinese and an ASCII comma":    {"", "验证码1234,5分钟内有效", "", "1234"},
		"Korean beside it":              {"", "코드는123456입니다", "", "123456"},
		"Japanese beside it":            {"", "認証コード:123456です。", "", "123456"},
		"brackets":                      {"【123456】", "", "", "123456"},
		"four and ten digits":           {"123 12345678901 1234567890", "", "", "1234567890"},
		"too long, then good":           {"", "12345678901 then 4321.", "", "4321"},
		"full-width digits are none":    {"", "１２３４５６", "", ""},
		"part of a word":                {"", "AB1234 1234CD é1234 order_1234 5678", "", "5678"},
		"part of a date":                {"", "2026-01-02 2026/01/02 02.01.2026 code 5678", "", "5678"},
		"part of a decimal":             {"", "1234.50 then 0.1234 then 5678.", "", "5678"},
		"at the end of a sentence":      {"", "It is 5678. Do not share it", "", "5678"},
		"after a dash":                  {"", "code -5678- end", "", "5678"},
		"after a colon":                 {"", "code:5678", "", "5678"},
		"hash in text":                  {"", "#5678", "", "5678"},
		"colour in a style attribute":   {"", "", `<p style="color:#123456">code <b>7890</b></p>`, "7890"},
		"any attribute":                 {"", "", `<a href="https://example.com/?id=1234" width=5678>7890</a>`, "7890"},
		"greater-than in an attribute":  {"", "", `<a title="a > 1234" b='> 5678'>7890</a>`, "7890"},
		"style element":                 {"", "", "<STYLE type=x>p{color:#123456}</Style ><p>7890", "7890"},
		"script element":                {"", "", "<script>var a = 1234; '<p>5678</p>'</script>7890", "7890"},
		"title":                         {"", "", "<head><title>1234</title></head>7890", "7890"},
		"comment":                       {"", "", "<!-- 1234 > 5678 --><p>7890", "7890"},
		"conditional comment":           {"", "", "<!--[if mso]><p>1234</p><![endif]--><![if !mso]>7890<![endif]>", "7890"},
		"digits in inline elements":     {"", "", "<span>12</span><b>34</b><!-- -->56", "123456"},
		"digits in cells stand alone":   {"", "", "<td>12</td><td>34</td><p>7890</p>", "7890"},
		"entities":                      {"", "", "&lt;1234567890123&gt;&nbsp;&#55;890&nbsp;", "7890"},
		"less-than is text":             {"", "", "3 < 4 and <3 then 7890", "7890"},
		"words are not glued by blocks": {"", "", "<p>abc</p>1234<p>def</p>", "1234"},
		"unfinished tag":                {"", "", "<p>ab<a href='1234", ""},
		"unfinished script":             {"", "", "<script>1234", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := code(tt.subject, tt.text, tt.html); got != tt.want {
				t.Errorf("code = %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzCode(f *testing.F) {
	f.Add("验证码123456，", "<p style='color:#123456'>1234</p>")
	f.Add("<", "<!--<a '\"></script>")
	f.Fuzz(func(t *testing.T, text, html string) {
		got := code("", text, html)
		if got == "" {
			return
		}
		if len(got) < 4 || len(got) > 10 || strings.Trim(got, "0123456789") != "" {
			t.Errorf("code %q is not 4 to 10 digits", got)
		}
		if !strings.Contains(text, got) && firstCode(visibleText(html)) != got {
			t.Errorf("code %q is neither in the text nor in the HTML", got)
		}
	})
}

func TestMask(t *testing.T) {
	tests := map[string]string{
		"user@example.com": "u***@example.com",
		"u@example.com":    "u***@example.com",
		"nobody":           "***",
		"@example.com":     "***",
		"":                 "***",
	}
	for address, want := range tests {
		if got := masked(address); got != want {
			t.Errorf("masked(%q) = %q, want %q", address, got, want)
		}
	}
}
