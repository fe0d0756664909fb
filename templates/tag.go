package templates

import (
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

// strict says why only a word may stand in an attribute's value.
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
