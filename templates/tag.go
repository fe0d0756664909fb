package templates

import "strings"

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
