package templates

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// An analysis finds the context of each mark in the template's HTML: it puts a letter
// in place of each mark and lets the tokenizer say what that letter is part of. A mark
// that would be part of the HTML's structure is taken out, a section's tag there is put
// back as it is written, and the analysis starts anew, until what it looks at has the
// structure of whatever the template renders.
type analysis struct {
	source string
	marks  []mark
	placed []placement
	values []*attributeValue

	doc     string // with a letter for each mark; what placed and values refer to
	next    int    // the first mark not yet placed
	regions int
	// odd says that an element went before in which browsers do not take the
	// content of <style> and its like for raw text.
	odd bool
	// foreign counts open <svg> and <math>.
	foreign int
	// letters is where the last run of letters x was found.
	letters struct{ start, end int }
}

// A surrounding is what limits the marks of a part of the document.
type surrounding struct {
	most   escape // what HTML text takes
	where  string // if that is not escapeHTML
	region int    // what sections' tags must share, or -1 where they do not work
	depth  int    // of raw text read as HTML
}

// maxDepth bounds the cost of a template of nested <noscript>.
const maxDepth = 3

// patience is how often the analysis starts anew for one mark. After that it
// settles all marks of a round, sensible templates being long done.
const patience = 64

func (a *analysis) run() {
	for round := 0; ; round++ {
		a.build()
		a.next, a.regions, a.odd, a.foreign = 0, 0, false, 0
		a.values = a.values[:0]
		a.scan(0, len(a.doc), surrounding{most: escapeHTML})
		if !a.settle(round < patience) && !pair(a.marks, a.placed) {
			return
		}
	}
}

func (a *analysis) build() {
	var doc strings.Builder
	at := 0
	for i, m := range a.marks {
		doc.WriteString(a.source[at:m.start])
		p := &a.placed[i]
		p.at = doc.Len()
		switch {
		case p.literal:
			doc.WriteString(m.written)
		case p.escape != escapeNothing:
			doc.WriteByte('x')
		}
		p.width = doc.Len() - p.at
		at = m.end
	}
	doc.WriteString(a.source[at:])
	a.doc = doc.String()
	a.letters.start, a.letters.end = 0, -1
}

// settle takes out or puts back the marks that must not be where they were found, the
// first of them or all, and reports whether there were any.
func (a *analysis) settle(first bool) bool {
	changed := false
	for i, m := range a.marks {
		p := &a.placed[i]
		switch isValue := m.kind == kindValue; {
		case p.literal, p.width == 0: // since an earlier round
		case first && changed:
			p.escape = escapeHTML // until its place is found anew
		case isValue && p.escape == escapeNothing:
			changed = true
		case !isValue && p.region < 0:
			p.literal = true
			p.where = cmp.Or(p.where, "an attribute or a title")
			changed = true
		}
	}
	return changed
}

// place places the marks before a place of the document that have none yet.
func (a *analysis) place(end int, esc escape, where string, region int) {
	for a.hasMarks(end) {
		p := &a.placed[a.next]
		if !p.literal && p.escape != escapeNothing {
			p.escape, p.where, p.region = esc, where, region
		}
		a.next++
	}
}

// hasMarks reports whether there are marks to be placed before end.
func (a *analysis) hasMarks(end int) bool {
	return a.next < len(a.placed) && a.placed[a.next].at < end
}

// scan places the marks of doc[start:end], which is HTML from its beginning. It
// reports whether that ends where HTML text does.
func (a *analysis) scan(start, end int, s surrounding) (complete bool) {
	z := html.NewTokenizer(strings.NewReader(a.doc[start:end]))
	raw := "" // the element whose content is not HTML
	for at := start; ; {
		token := z.Next()
		to := at + len(z.Raw())
		if token == html.ErrorToken {
			a.place(end, escapeNothing, "an unfinished tag", -1)
			return at == end && raw == ""
		}
		ok := true
		switch {
		case token == html.TextToken && raw != "":
			ok = a.rawText(at, to, raw, s)
		case token == html.TextToken && a.foreign > 0:
			a.place(to, escapeWord, "SVG or MathML", -1)
		case token == html.TextToken:
			a.place(to, s.most, s.where, s.region)
		case token == html.StartTagToken || token == html.SelfClosingTagToken:
			raw = a.startTag(at, to, z.Token(), s)
		case token == html.EndTagToken:
			a.place(to, escapeNothing, "an end tag", -1)
			raw = ""
			if name, _ := z.TagName(); foreign[string(name)] && a.foreign > 0 {
				a.foreign--
			}
		case token == html.CommentToken && strings.HasPrefix(a.doc[at:to], "<!--"):
			ok = a.comment(at, to, s)
		default: // <!DOCTYPE>, <?xml?> and what browsers take for a comment without being one
			a.place(to, escapeNothing, "a declaration", -1)
			ok = !a.odd || !strings.HasPrefix(a.doc[at:to], "<![CDATA[")
		}
		at = to
		if !ok {
			a.place(end, escapeNothing, "a part that mail programs read in different ways", -1)
			return false
		}
	}
}

// startTag returns the element's name if what follows is not HTML.
func (a *analysis) startTag(start, end int, token html.Token, s surrounding) string {
	element := token.Data
	if foreign[element] && token.Type == html.StartTagToken {
		a.foreign++
	}
	a.odd = a.odd || foreign[element] || element == "select" || element == "frameset"
	if a.hasMarks(end) {
		found := attributes(a.doc, start, end)
		pragma := element == "meta" && slices.ContainsFunc(found, func(a attribute) bool { return a.name == "http-equiv" || a.name == "charset" })
		for _, attr := range found {
			a.place(attr.start, escapeNothing, "a tag or an attribute's name", -1)
			if a.hasMarks(attr.end) {
				a.attribute(element, attr, pragma, s)
			}
		}
		a.place(end, escapeNothing, "a tag or an attribute's name", -1)
	}
	switch element {
	case "title", "textarea", "script", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext":
		return element
	}
	return ""
}

// rawText places the marks in an element's content that is not HTML. It
// reports whether all readers agree where it ends.
func (a *analysis) rawText(start, end int, element string, s surrounding) bool {
	if a.odd && tagLike.MatchString(a.doc[start:end]) {
		return false
	}
	where := "<" + element + ">"
	switch element {
	case "title", "textarea":
		a.placeGuarded(start, end, s.most, s.where, false)
	case "script", "style":
		a.placeGuarded(start, end, max(s.most, escapeWord), where, element == "script")
	default: // programs without scripts, and simple ones, take it for HTML
		if s.depth == maxDepth {
			return false
		}
		inner := surrounding{most: max(s.most, escapeWord), where: where, region: -1, depth: s.depth + 1}
		return a.scan(start, end, inner) || element == "plaintext"
	}
	return true
}

var tagLike = regexp.MustCompile(`<[A-Za-z0-9/!?]`)

// placeGuarded places marks in a text that ends at a certain tag, and removes
// those that could become part of it; in a script also those that could close
// what looks like a comment there.
func (a *analysis) placeGuarded(start, end int, esc escape, where string, script bool) {
	for a.hasMarks(end) {
		at := a.placed[a.next].at
		if tagStart.MatchString(a.doc[max(start, at-64):at]) || script && joinsCommentEnd(a.around(start, end, at)) {
			a.place(at+1, escapeNothing, "something like a tag", -1)
			continue
		}
		a.place(at+1, esc, where, -1)
	}
}

// tagStart is the beginning of a tag, up to a letter of its name. No name that matters is
// longer than a few letters.
var tagStart = regexp.MustCompile(`<[/!?]*[A-Za-z0-9-]*$`)

// condition begins <!--[if mso]>…<![endif]-->, inside which Outlook reads HTML.
var condition = regexp.MustCompile(`(?is)^<!--\s*\[\s*if.*?\]>`)

// comment places the marks in <!--…-->. It reports whether all readers agree
// where it ends.
func (a *analysis) comment(start, end int, s surrounding) bool {
	text := a.doc[start:end]
	if !strings.HasSuffix(text, "-->") {
		a.place(end, escapeNothing, "an unfinished comment", -1)
		return strings.HasSuffix(text, ">")
	}
	for i := a.next; i < len(a.placed) && a.placed[i].at < end; i++ {
		if p := a.placed[i]; !p.literal && p.escape != escapeNothing && a.endsComment(start, end, p.at) {
			a.place(p.at, escapeWord, "a comment", -1)
			a.place(p.at+1, escapeNothing, "something like a comment's end", -1)
		}
	}
	if close := strings.Index(text, "]>"); close >= 0 { // not to be made one by a value
		a.place(start+close, escapeNothing, "a comment's condition", -1)
	}
	head := len(condition.FindString(text))
	if head == 0 {
		a.place(end, max(s.most, escapeWord), "a comment", -1)
		return true
	}
	bodyEnd := strings.LastIndex(text, "<![")
	if bodyEnd < head {
		bodyEnd = len(text) - len("-->")
	}
	inner := surrounding{most: max(s.most, escapeComment), where: s.where, region: s.region, depth: s.depth}
	if inner.region >= 0 {
		a.regions++
		inner.region = a.regions
	}
	a.scan(start+head, start+bodyEnd, inner)
	a.place(end, escapeNothing, "a comment's condition", -1)
	return true
}

// endsComment reports whether the mark at a place of the comment could end it.
func (a *analysis) endsComment(start, end, at int) bool {
	before, after := a.around(start, end, at)
	if before == "<!--" && (strings.HasPrefix(after, ">") || strings.HasPrefix(after, "->")) {
		return true
	}
	return joinsCommentEnd(before, after)
}

// around returns what is before and after the letters x, which may be marks, at a
// place of doc[start:end].
func (a *analysis) around(start, end, at int) (before, after string) {
	if run := &a.letters; at < run.start || run.end < at {
		run.start = start + len(strings.TrimRight(a.doc[start:at], "x"))
		run.end = end - len(strings.TrimLeft(a.doc[at:end], "x"))
	}
	return a.doc[start:max(start, a.letters.start)], a.doc[min(end, a.letters.end):end]
}

// joinsCommentEnd reports whether two texts make a comment's end when what is between
// them is empty.
func joinsCommentEnd(before, after string) bool {
	before = before[max(0, len(before)-len("--!")):]
	after = after[:min(len(after), len("-!>"))]
	for i := range before {
		rest := before[i:] + after
		if strings.HasPrefix(rest, "-->") || strings.HasPrefix(rest, "--!>") {
			return true
		}
	}
	return false
}
