package templates

import (
	"html"
	"regexp"
	"slices"
	"strings"
)

// An attribute is one of a start tag's, as places in the document.
type attribute struct {
	name       string // in lower case
	start, end int    // of the value, without quotes
	unquoted   bool
	repeated   bool // browsers take the first of its name alone
}

const tagSpace = " \t\n\r\f"

// attributePattern finds the attributes behind the name of a complete start tag, as the
// tokenizer does, which does not say where they are (HTML, 13.2.5.32 to 13.2.5.40).
var attributePattern = regexp.MustCompile(`([^\s/][^\s/=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S*)))?`)

// attributes splits the start tag doc[start:end].
func attributes(doc string, start, end int) []attribute {
	start += strings.IndexAny(doc[start:end], tagSpace+"/>")
	var found []attribute
	seen := make(map[string]bool)
	for _, m := range attributePattern.FindAllStringSubmatchIndex(doc[start:end-len(">")], -1) {
		a := attribute{name: strings.ToLower(doc[start+m[2] : start+m[3]]), start: start + m[3], end: start + m[3], unquoted: true}
		for value := 4; value < len(m); value += 2 {
			if m[value] >= 0 {
				a.start, a.end, a.unquoted = start+m[value], start+m[value+1], value == len(m)-2
			}
		}
		a.repeated = seen[a.name]
		seen[a.name] = true
		found = append(found, a)
	}
	return found
}

// attribute places the marks of an attribute's value.
func (a *analysis) attribute(element string, attr attribute, pragma bool, s surrounding) {
	name := attr.name[strings.IndexByte(attr.name, ':')+1:]
	v := &attributeValue{
		element: element, name: attr.name, url: a.urlKind(element, name, pragma),
		start: attr.start, end: attr.end, unquoted: attr.unquoted,
	}
	first := a.placed[a.next].at
	v.written = a.marks[a.next].start - (first - attr.start)
	v.fixed = v.check([]byte(a.doc[attr.start:first])) != ""
	if v.url != notURL || v.unquoted {
		a.values = append(a.values, v)
	}
	if lead := strings.TrimLeft(a.doc[attr.start:attr.end], "x"); v.unquoted && lead != "" && strings.IndexByte("\"'", lead[0]) >= 0 {
		// Without the value before it, the quote would open one.
		a.place(attr.end-len(lead), escapeNothing, "an attribute with one quote", -1)
	}
	esc, where := s.most, s.where
	if strict := a.strict(element, name, attr, pragma); strict != "" {
		esc, where = max(esc, escapeWord), strict
	}
	a.place(attr.end, esc, where, -1)
}

// strict says why an attribute's value takes only a word.
func (a *analysis) strict(element, name string, attr attribute, pragma bool) string {
	switch {
	case attr.unquoted:
		return "an attribute without quotes"
	case attr.repeated:
		return "a repeated attribute"
	case name == "style", strings.HasPrefix(name, "on"), name == "srcdoc":
		return "the attribute " + name
	case a.foreign > 0 || foreign[element]:
		return "SVG or MathML"
	case element == "script":
		return "a script"
	case pragma:
		return "a <meta> pragma"
	}
	return ""
}

// urlKind says whether an attribute, named without its prefix, holds URLs.
func (a *analysis) urlKind(element, name string, pragma bool) urlKind {
	switch {
	case pragma && name == "content":
		return refreshURL
	case element == "param" && name == "value":
		return oneURL
	case a.foreign > 0 && slices.Contains(animations, name):
		return urlList
	}
	return urlAttributes[name]
}

// A urlKind says how many URLs an attribute holds.
type urlKind uint8

const (
	notURL     urlKind = iota
	oneURL             // which may have white space around it
	urlList            // apart by white space, commas and semicolons
	refreshURL         // 0;url=…
)

// urlAttributes are the attributes that browsers or old mail programs follow,
// by their names without a namespace prefix.
var urlAttributes = map[string]urlKind{
	"action": oneURL, "archive": urlList, "background": oneURL, "cite": oneURL,
	"classid": oneURL, "code": oneURL, "codebase": oneURL, "data": oneURL,
	"dynsrc": oneURL, "formaction": oneURL, "href": oneURL, "icon": oneURL,
	"imagesrcset": urlList, "longdesc": oneURL, "lowsrc": oneURL,
	"manifest": oneURL, "ping": urlList, "poster": oneURL, "profile": urlList,
	"src": oneURL, "srcset": urlList, "usemap": oneURL,
}

// foreign are the elements whose content is not HTML's, but XML's.
var foreign = map[string]bool{"svg": true, "math": true}

// animations are the attributes by which SVG's animations can set a URL.
var animations = []string{"by", "from", "to", "values"}

// forbidden are the schemes whose URLs are a program or a page themselves.
var forbidden = []string{"javascript", "vbscript", "data"}

// An attributeValue is the value of an attribute that is looked at as a whole
// when it has been filled in.
type attributeValue struct {
	element, name string
	start, end    int // in the document
	written       int // where it starts in the template
	url           urlKind
	unquoted      bool
	fixed         bool // the template itself begins with a forbidden scheme
}

func (v *attributeValue) String() string {
	return "the attribute " + v.name + " of <" + v.element + ">"
}

// check returns the forbidden scheme that a filled-in value has, or "".
func (v *attributeValue) check(value []byte) string {
	if v.url == notURL {
		return ""
	}
	text := html.UnescapeString(string(value))
	scheme := forbiddenScheme(text)
	if scheme != "" || v.url == oneURL {
		return scheme
	}
	for piece := range strings.FieldsFuncSeq(text, v.separates) {
		if scheme := forbiddenScheme(piece); scheme != "" {
			return scheme
		}
	}
	return ""
}

func (v *attributeValue) separates(r rune) bool {
	return r <= ' ' || r == ',' || r == ';' || v.url == refreshURL && (r == '=' || r == '"' || r == '\'')
}

// forbiddenScheme returns the scheme of a URL if it is a forbidden one. Like browsers
// it sees no control characters and spaces (WHATWG URL, basic URL parser), nor what
// some mail programs drop.
func forbiddenScheme(url string) string {
	scheme, _, found := strings.Cut(url, ":")
	scheme = strings.ToLower(strings.Map(func(r rune) rune {
		if r <= ' ' || 0x7f <= r && r <= 0xa0 || isSpace(r) || r == 0xad || 0x200b <= r && r <= 0x200f || r == 0x2060 {
			return -1
		}
		return r
	}, scheme))
	if !found || !slices.Contains(forbidden, scheme) {
		return ""
	}
	return scheme
}
