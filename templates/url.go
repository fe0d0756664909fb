package templates

import (
	"html"
	"slices"
	"strings"
)

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
