package templates

import (
	"html"
	"slices"
	"strings"
)

// An attribute is one of a start tag's, as places in the document.
type attribute struct {
	name       string // in lower case
	start, end int    // of the value, without quotes
	quote      byte   // 0 if there is none
	repeated   bool   // browsers take the first of its name alone
}

const tagSpace = " \t\n\r\f"

// attributes splits the start tag doc[start:end], which the tokenizer found to
// be complete, as it does itself (HTML, 13.2.5.32 to 13.2.5.40). It returns the
// element's name in lower case, too.
func attributes(doc string, start, end int) (element string, found []attribute) {
	end-- // the closing >
	at := start + 1
	for at < end && strings.IndexByte(tagSpace+"/", doc[at]) < 0 {
		at++
	}
	element = strings.ToLower(doc[start+1 : at])
	seen := make(map[string]bool)
	for {
		for at < end && strings.IndexByte(tagSpace+"/", doc[at]) >= 0 {
			at++
		}
		if at >= end {
			return element, found
		}
		var a attribute
		a, at = nextAttribute(doc, at, end)
		a.repeated = seen[a.name]
		seen[a.name] = true
		found = append(found, a)
	}
}

func nextAttribute(doc string, at, end int) (attribute, int) {
	nameStart := at
	at++ // an = in the first place belongs to the name
	for at < end && strings.IndexByte(tagSpace+"/=", doc[at]) < 0 {
		at++
	}
	a := attribute{name: strings.ToLower(doc[nameStart:at])}
	at = skipTagSpace(doc, at, end)
	a.start, a.end = at, at
	if at >= end || doc[at] != '=' {
		return a, at
	}
	at = skipTagSpace(doc, at+1, end)
	a.start, a.end = at, at
	if at >= end {
		return a, at
	}
	if q := doc[at]; q == '"' || q == '\'' {
		a.quote, a.start = q, at+1
		a.end = a.start + strings.IndexByte(doc[a.start:end], q)
		if a.end < a.start { // the tokenizer would not have found the tag complete
			a.end = end
			return a, end
		}
		return a, a.end + 1
	}
	for at < end && strings.IndexByte(tagSpace, doc[at]) < 0 {
		at++
	}
	a.end = at
	return a, at
}

func skipTagSpace(doc string, at, end int) int {
	for at < end && strings.IndexByte(tagSpace, doc[at]) >= 0 {
		at++
	}
	return at
}

// attribute places the marks of an attribute's value.
func (a *analysis) attribute(element string, attr attribute, all []attribute, s surrounding) {
	name := attr.name[strings.IndexByte(attr.name, ':')+1:]
	v := &attributeValue{
		element: element, name: attr.name, url: a.urlKind(element, name, all),
		start: a.sourceAt(attr.start-1) + 1, end: a.sourceAt(attr.end),
		unquoted: attr.quote == 0,
	}
	v.fixed = v.check([]byte(a.doc[attr.start:a.at[a.next]])) != ""
	if v.url != notURL || v.unquoted {
		a.values = append(a.values, v)
	}
	if lead := strings.TrimLeft(a.doc[attr.start:attr.end], "x"); v.unquoted && lead != "" && strings.IndexByte("\"'", lead[0]) >= 0 {
		// Without the value before it, the quote would open one.
		a.place(attr.end-len(lead), escapeNothing, "an attribute with one quote", -1)
	}
	esc, where := s.most, s.where
	if strict := a.strict(element, name, attr, all); strict != "" {
		esc, where = max(esc, escapeWord), strict
	}
	a.place(attr.end, esc, where, -1)
}

// strict says why an attribute's value takes only a word.
func (a *analysis) strict(element, name string, attr attribute, all []attribute) string {
	switch {
	case attr.quote == 0:
		return "an attribute without quotes"
	case attr.repeated:
		return "a repeated attribute"
	case name == "style", strings.HasPrefix(name, "on"), name == "srcdoc":
		return "the attribute " + name
	case a.foreign > 0 || element == "svg" || element == "math":
		return "SVG or MathML"
	case element == "script":
		return "a script"
	case element == "meta" && slices.ContainsFunc(all, isPragma):
		return "a <meta> pragma"
	}
	return ""
}

// urlKind says whether an attribute, named without its prefix, holds URLs.
func (a *analysis) urlKind(element, name string, all []attribute) urlKind {
	switch {
	case element == "meta" && name == "content" && slices.ContainsFunc(all, isPragma):
		return refreshURL
	case element == "param" && name == "value":
		return oneURL
	case a.foreign > 0 && slices.Contains(animations, name):
		return urlList
	}
	return urlAttributes[name]
}

func isPragma(a attribute) bool { return a.name == "http-equiv" || a.name == "charset" }

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

// animations are the attributes by which SVG's animations can set a URL.
var animations = []string{"by", "from", "to", "values"}

// forbidden are the schemes whose URLs are a program or a page themselves.
var forbidden = []string{"javascript", "vbscript", "data"}

// An attributeValue is the value of an attribute that is looked at as a whole
// when it has been filled in.
type attributeValue struct {
	element, name string
	start, end    int // in the template
	url           urlKind
	unquoted      bool
	fixed         bool // the template itself begins with a forbidden scheme
}

func (v *attributeValue) String() string {
	return "the attribute " + v.name + " of <" + v.element + ">"
}

// check returns the forbidden scheme that a filled-in value has, or "".
func (v *attributeValue) check(value []byte) string {
	if v.url == notURL || v.url == oneURL && plainlyAllowed(value) {
		return ""
	}
	text := string(value)
	if strings.IndexByte(text, '&') >= 0 {
		text = html.UnescapeString(text)
	}
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

// plainlyAllowed recognises most URLs at little cost.
func plainlyAllowed(url []byte) bool {
	for i, c := range url {
		switch {
		case isAlnum(c):
		case c == ':':
			scheme := url[:i]
			return !slices.ContainsFunc(forbidden, func(f string) bool { return strings.EqualFold(string(scheme), f) })
		default: // "/" and the like begin no scheme
			return c != '&' && c > ' ' && c < 0x7f
		}
	}
	return true
}

func (v *attributeValue) separates(r rune) bool {
	return r <= ' ' || r == ',' || r == ';' || v.url == refreshURL && (r == '=' || r == '"' || r == '\'')
}

// forbiddenScheme returns the scheme of a URL if it is a forbidden one. Like
// browsers it sees no control characters and spaces (WHATWG URL, basic URL
// parser), here and there more of them than they do.
func forbiddenScheme(url string) string {
	var scheme [len("javascript")]byte
	n := 0
	for _, r := range url {
		switch {
		case r <= ' ' || 0x7f <= r && isInvisible(r):
			continue
		case r == ':':
			if i := slices.Index(forbidden, string(scheme[:n])); i >= 0 {
				return forbidden[i]
			}
			return ""
		case n == len(scheme) || r > 'z':
			return ""
		}
		scheme[n] = byte(r) | 0x20 // lower case
		n++
	}
	return ""
}

// isInvisible is about characters that some mail programs drop.
func isInvisible(r rune) bool {
	return r < 0xa0 || isSpace(r) || r == 0xad || 0x200b <= r && r <= 0x200f || r == 0x2060
}
