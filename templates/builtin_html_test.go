package templates_test

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dmconnector/templates"

	"golang.org/x/net/html"
)

// fullPayload turns every section of a template on.
func fullPayload() map[string]any {
	branding := map[string]any{
		"logoUrl": "https://acme.example/logo.png", "darkLogoUrl": "https://acme.example/dark.png",
	}
	return map[string]any{
		"code": "038081", "link": "https://app.example.com/join?token=abc",
		"application":  map[string]any{"name": "Acme Portal", "branding": branding},
		"organization": map[string]any{"id": "o1", "name": "Acme", "branding": branding},
		"user":         map[string]any{"name": "Alice Müller"},
		"inviter":      map[string]any{"name": "Alice Müller"},
	}
}

func TestBuiltinHTMLIsWellFormed(t *testing.T) {
	payloads := map[string]map[string]any{"full": fullPayload(), "code alone": {"code": "038081"}}
	appLogo := fullPayload()
	delete(appLogo, "organization")
	payloads["application's logo"] = appLogo
	for name, payload := range payloads {
		for _, src := range templates.Builtin() {
			doc := render(t, src, payload).HTML
			for reader, seen := range map[string]string{"others": doc, "Outlook": outlook.Replace(doc)} {
				if problem := unbalanced(seen); problem != "" {
					t.Errorf("%s in %s, %s, seen by %s: %s", src.UsageType, src.LanguageTag, name, reader, problem)
				}
			}
		}
	}
}

// outlook takes conditional comments for HTML.
var outlook = strings.NewReplacer("<!--[if mso]>", "", "<![endif]-->", "")

var void = []string{"br", "img", "meta", "source"}

// unbalanced walks the tags with a stack, as a parser would repair them.
func unbalanced(doc string) string {
	var open []string
	z := html.NewTokenizer(strings.NewReader(doc))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(open, " ")
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return "</" + string(name) + "> closes " + strings.Join(open, " ")
			}
			open = open[:len(open)-1]
		}
	}
}

func TestBuiltinHTMLSaysWhatTheTextSays(t *testing.T) {
	for _, src := range templates.Builtin() {
		lineBreak := ""
		if src.LanguageTag == "en" {
			lineBreak = " "
		}
		mail := render(t, src, map[string]any{"code": "038081"})
		for paragraph := range strings.SplitSeq(strings.TrimSpace(mail.Text), "\n\n") {
			if line := strings.ReplaceAll(paragraph, "\n", lineBreak); !strings.Contains(mail.HTML, ">"+line+"<") {
				t.Errorf("%s in %s: the HTML lacks %q", src.UsageType, src.LanguageTag, line)
			}
		}
	}
}

func TestBuiltinHTMLIsAccessible(t *testing.T) {
	for _, src := range templates.Builtin() {
		root := parse(t, render(t, src, fullPayload()).HTML)
		count := map[string]int{}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			count[n.Data]++
			switch n.Data {
			case "html":
				if attr(n, "lang") != src.LanguageTag || attr(n, "dir") != "ltr" {
					t.Errorf("%s in %s: html lang %q dir %q", src.UsageType, src.LanguageTag, attr(n, "lang"), attr(n, "dir"))
				}
			case "img":
				if attr(n, "alt") == "" {
					t.Errorf("%s in %s: a logo without alternative text", src.UsageType, src.LanguageTag)
				}
			case "table":
				if attr(n, "role") != "presentation" {
					t.Errorf("%s in %s: a layout table without its role", src.UsageType, src.LanguageTag)
				}
			}
		}
		if count["h1"] != 1 || count["title"] != 1 || count["img"] != 1 {
			t.Errorf("%s in %s: %d h1, %d title, %d img; want one each", src.UsageType, src.LanguageTag, count["h1"], count["title"], count["img"])
		}
	}
}

func TestBuiltinHTMLIsSelfContainedAndSmall(t *testing.T) {
	outside := regexp.MustCompile(`(?i)https?:|//[a-z]|url\(|@import|<script|<link|<form|<iframe`)
	for _, src := range templates.Builtin() {
		if found := outside.FindString(src.Content + src.Text); found != "" {
			t.Errorf("%s in %s refers to something outside: %s", src.UsageType, src.LanguageTag, found)
		}
		if len(src.Content) > 8<<10 {
			t.Errorf("%s in %s: %d bytes of HTML", src.UsageType, src.LanguageTag, len(src.Content))
		}
	}
}

// Text on its background has the contrast of WCAG 2.2, level AA (1.4.3).
func TestBuiltinContrast(t *testing.T) {
	for _, src := range templates.Builtin() {
		doc := render(t, src, fullPayload()).HTML
		dark := darkRules(doc)
		if len(dark) == 0 {
			t.Fatal("no rules for dark mode")
		}
		for mode, rules := range map[string]styles{"light": {}, "dark": dark} {
			for _, low := range rules.lowContrast(find(parse(t, doc), "body"), "", "") {
				t.Errorf("%s in %s, %s: %s", src.UsageType, src.LanguageTag, mode, low)
			}
		}
	}
}

// styles are the declarations that override inline ones, by class.
type styles map[string]string

func darkRules(doc string) styles {
	_, block, _ := strings.Cut(doc, "@media (prefers-color-scheme:dark){")
	block, _, _ = strings.Cut(block, "</style>")
	rules := styles{}
	for _, m := range regexp.MustCompile(`\.(\w+)\{([^}]*)\}`).FindAllStringSubmatch(block, -1) {
		rules[m[1]] = strings.ReplaceAll(m[2], "!important", "")
	}
	return rules
}

// lowContrast lists the texts under n that are hard to read.
func (s styles) lowContrast(n *html.Node, color, background string) (low []string) {
	if n.Type == html.TextNode && strings.TrimSpace(n.Data) != "" {
		if ratio := contrast(color, background); ratio < 4.5 {
			low = append(low, color+" on "+background+" is "+strconv.FormatFloat(ratio, 'f', 2, 64)+": "+n.Data)
		}
		return low
	}
	own := declarations(attr(n, "style"))
	if own["display"] == "none" {
		return nil
	}
	for class := range strings.FieldsSeq(attr(n, "class")) {
		maps.Copy(own, declarations(s[class]))
	}
	if c := own["color"]; c != "" {
		color = c
	}
	if b := own["background-color"]; b != "" {
		background = b
	}
	for child := range n.ChildNodes() {
		low = append(low, s.lowContrast(child, color, background)...)
	}
	return low
}

func declarations(style string) map[string]string {
	all := map[string]string{}
	for d := range strings.SplitSeq(style, ";") {
		property, value, _ := strings.Cut(d, ":")
		all[property] = value
	}
	return all
}

// contrast is WCAG's ratio of two #rrggbb colours, 0 if one is none.
func contrast(a, b string) float64 {
	la, okA := luminance(a)
	lb, okB := luminance(b)
	if !okA || !okB {
		return 0
	}
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(color string) (float64, bool) {
	rgb, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil || len(color) != 7 {
		return 0, false
	}
	channel := func(shift int) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0), true
}

func parse(t *testing.T, doc string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func find(root *html.Node, element string) *html.Node {
	for n := range root.Descendants() {
		if n.Data == element {
			return n
		}
	}
	return root
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
