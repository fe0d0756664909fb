package templates

import "strings"

// comment places the marks in <!--…-->. It reports whether all readers agree
// where it ends.
func (a *analysis) comment(start, end int, s surrounding) bool {
	text := a.doc[start:end]
	if !strings.HasSuffix(text, "-->") {
		a.place(end, escapeNothing, "an unfinished comment", -1)
		return strings.HasSuffix(text, ">")
	}
	for i := a.next; i < len(a.marks) && a.at[i] < end; i++ {
		if p := &a.placed[i]; !p.literal && p.escape != escapeNothing && a.endsComment(start, end, a.at[i]) {
			a.place(a.at[i], escapeWord, "a comment", -1)
			a.place(a.at[i]+1, escapeNothing, "something like a comment's end", -1)
		}
	}
	if condition := strings.Index(text, "]>"); condition >= 0 { // not to be made one by a value
		a.place(start+condition, escapeNothing, "a comment's condition", -1)
	}
	head, bodyEnd, conditional := conditionalComment(text)
	if !conditional {
		a.place(end, max(s.most, escapeWord), "a comment", -1)
		return true
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
	before, after := a.doc[start:at], strings.TrimLeft(a.doc[at:end], "x")
	if strings.TrimRight(before, "x") == "<!--" && (strings.HasPrefix(after, ">") || strings.HasPrefix(after, "->")) {
		return true
	}
	return joinsCommentEnd(before, after)
}

// joinsCommentEnd reports whether two texts make a comment's end when the marks
// between them are empty.
func joinsCommentEnd(before, after string) bool {
	before, after = strings.TrimRight(before, "x"), strings.TrimLeft(after, "x")
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

// conditionalComment finds the HTML in <!--[if mso]>…<![endif]-->, which
// Outlook reads.
func conditionalComment(text string) (start, end int, ok bool) {
	inside := strings.TrimLeft(text[len("<!--"):], tagSpace)
	if !strings.HasPrefix(inside, "[") {
		return 0, 0, false
	}
	head := strings.Index(text, "]>")
	if head < 0 || !strings.HasPrefix(strings.ToLower(strings.TrimLeft(inside[1:], tagSpace)), "if") {
		return 0, 0, false
	}
	start = head + len("]>")
	end = strings.LastIndex(text, "<![")
	if end < start {
		end = len(text) - len("-->")
	}
	if end < start {
		return 0, 0, false
	}
	return start, end, true
}

// declaration places the marks of <!DOCTYPE>, <?xml?> and what browsers take
// for a comment without being one.
func (a *analysis) declaration(start, end int) bool {
	a.place(end, escapeNothing, "a declaration", -1)
	return !a.odd || !strings.HasPrefix(a.doc[start:end], "<![CDATA[")
}
